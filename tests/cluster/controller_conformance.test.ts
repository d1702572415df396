/** The recorded stories of the original's controller, told to ours on a real API server. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Json as Member, readVectors, type Step } from "../conformance/vector.ts";
import type { ApiServer } from "./_api_server.ts";
import { ControllerProcess } from "./_controller.ts";
import { installCrds, type Json, type Kind, must, type PoolJson, Pools, startWith } from "./_pools.ts";

interface Expected {
  readonly pools: Readonly<Record<string, readonly Json[]>>;
  readonly events?: readonly string[];
  readonly rejected?: boolean;
}

/** A state that stays for so many milliseconds is final. */
const STILL_MS = 700;
/** A step that changes nothing is looked at for so long. */
const LOOK_MS = 1000;
const LIMIT_MS = 15_000;

/** Tells one vector. */
class Replay {
  readonly #server: ApiServer;
  readonly #pools: Pools;
  /** Specs that the API server refused at a pool's creation. */
  readonly #refused = new Map<string, Json>();
  #controller: ControllerProcess | undefined;
  #before = "";

  constructor(server: ApiServer, pools: Pools) {
    this.#server = server;
    this.#pools = pools;
  }

  async step(step: Step): Promise<void> {
    const expected = step.expect as unknown as Expected | undefined;
    const isRefused = await this.#carryOut(step);
    if (expected === undefined) return;
    if (expected.rejected) assert.ok(isRefused, "the API server must refuse this");
    await this.#check(expected);
    if (step.checkEvents === true) await this.#checkEvents(expected.events ?? []);
  }

  async end(): Promise<void> {
    await this.#controller?.kill();
    await this.#pools.deleteAllNodes();
  }

  /** @returns whether the API server refused the request. */
  async #carryOut(step: Step): Promise<boolean> {
    const pools = this.#pools;
    const kind = step.kind as Kind;
    const name = String(step.name);
    switch (step.do) {
      case "createNodes":
        for (const node of step.nodes as unknown as { name: string; labels?: Json }[]) {
          await pools.addNode(node.name, node.labels);
        }
        return false;
      case "setLabels":
        await pools.label(String(step.node), step.labels as Json);
        return false;
      case "deleteNode":
        await pools.deleteNode(String(step.node));
        return false;
      case "createPool":
        return this.#create(kind, name, step.spec as Json, step.annotations);
      case "patchSpec":
        return this.#edit(kind, name, (before) => mergePatch(before, step.spec as Json));
      case "replaceSpec":
        return this.#edit(kind, name, () => step.spec as Json);
      case "setStatus":
        must(await pools.patchStatus(kind, name, { allocations: step.allocations }));
        return false;
      case "deletePool":
        must(await pools.delete(kind, name));
        return false;
      case "startController":
        this.#controller = await ControllerProcess.start({
          kubeconfig: this.#server.kubeconfig,
          namespace: pools.namespace,
          flags: ["--block-release-delay=0"],
        });
        return false;
      case "stopController":
        assert.is((await this.#controller?.stop())?.status, 0);
        return false;
      default:
        throw new Error(`unknown step ${step.do}`);
    }
  }

  async #create(kind: Kind, name: string, spec: Json, annotations?: Member): Promise<boolean> {
    const made = await this.#pools.create(
      kind,
      name,
      spec,
      annotations === undefined ? {} : { metadata: { annotations } },
    );
    if (made.ok) {
      this.#refused.delete(`${kind}/${name}`);
      return false;
    }
    assert.is(made.error.code, "invalid", made.error.message);
    this.#refused.set(`${kind}/${name}`, spec);
    return true;
  }

  async #edit(kind: Kind, name: string, change: (before: unknown) => Json): Promise<boolean> {
    const never = this.#refused.get(`${kind}/${name}`);
    if (never !== undefined) return this.#create(kind, name, change(never));
    const spec = change(must(await this.#pools.get(kind, name)).spec);
    // The controller may write the status between the two requests.
    for (;;) {
      const edited = await this.#pools.replaceSpec(kind, name, spec);
      if (edited.ok) return false;
      if (edited.error.code === "conflict") continue;
      assert.is(edited.error.code, "invalid", edited.error.message);
      return true;
    }
  }

  async #check(expected: Expected): Promise<void> {
    const wanted = Object.fromEntries(Object.entries(expected.pools).filter(([key]) => !this.#refused.has(key)));
    const text = canonical(wanted);
    const least = performance.now() + (text === this.#before ? LOOK_MS : 0);
    const end = performance.now() + LIMIT_MS;
    let versions = "";
    let since = performance.now();
    for (;;) {
      const pools = await this.#pools.all();
      const seen = canonical(allocationsOf(pools));
      const now = performance.now();
      const present = [...pools.values()].map(({ metadata }) => metadata.resourceVersion).join();
      if (present !== versions) since = now;
      versions = present;
      const isStill = now - since >= STILL_MS;
      if (seen === text && isStill && now >= least) {
        this.#before = text;
        return;
      }
      if (now > end) throw new Error(`expected ${text}\n    seen ${seen}\n${this.#controller?.output ?? ""}`);
      await delay(50);
    }
  }

  async #checkEvents(expected: readonly string[]): Promise<void> {
    const wanted = expected.filter((event) => !this.#refused.has(event.split(" ", 1)[0] ?? ""));
    const seen = await this.#pools.events();
    assert.equal(
      wanted.filter((event) => !seen.includes(event)),
      [],
      `events are missing among ${seen.join(", ")}`,
    );
  }
}

function allocationsOf(pools: ReadonlyMap<string, PoolJson>): Json {
  return Object.fromEntries([...pools].map(([key, { status }]) => [key, status?.allocations ?? []]));
}

/** RFC 7396. */
function mergePatch(target: unknown, patch: Json): Json {
  const merged: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = isObject(value) ? mergePatch(merged[key], value) : value;
  }
  return merged;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) =>
    isObject(item) ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1))) : item,
  );
}

const { server, client } = await startWith(installCrds);
const test = suite("controller vectors on a real API server");
test.after(() => server.remove());

const vectors = readVectors("controller");
for (const [index, vector] of vectors.entries()) {
  test(`${vector.name}: ${vector.why}`, async () => {
    const replay = new Replay(server, await Pools.inNewNamespace(client, `vector-${index}`));
    try {
      for (const step of vector.steps) await replay.step(step);
    } finally {
      await replay.end();
    }
  });
}

test.run();
