/** Tells the recorded stories of the original's daemon and plugin to `nv-ipam node`, with pools at a real API server. */
import { writeFileSync } from "node:fs";
import { access, constants, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Act, Json, PoolSpec, Step, Vector } from "../conformance/vector.ts";
import { fillIn, matches, takeOut } from "../conformance/vector.ts";
import { StatusError } from "../daemon_client.ts";
import { runPlugin } from "../plugin.ts";
import type { ApiServer } from "./_api_server.ts";
import { NodeDaemon } from "./_node.ts";
import { type Kind, must, type Pools, until } from "./_pools.ts";

const NODE = "node-1";
/** An address of no pool, and what a pool answers that has no such address. */
const NOWHERE = "203.0.113.254";

/** Tells one vector's story. @throws when something else comes back than is expected. */
export async function tell(vector: Vector, act: Act, server: ApiServer, pools: Pools): Promise<void> {
  const daemon = new NodeDaemon({
    kubeconfig: server.kubeconfig,
    namespace: pools.namespace,
    nodeName: NODE,
    ...(vector.daemonFlags !== undefined && { flags: vector.daemonFlags }),
  });
  const story = new Story(vector, act, daemon, pools);
  try {
    for (const pool of vector.pools ?? []) await story.putPool(pool);
    await daemon.start();
    for (const [index, step] of vector.steps.entries()) await story.step(index, step);
  } finally {
    await daemon.remove();
  }
}

/** One vector on its way. */
class Story {
  readonly #vector: Vector;
  readonly #act: Act;
  readonly #daemon: NodeDaemon;
  readonly #pools: Pools;
  readonly #places: Readonly<Record<string, string>>;
  #markers = 0;

  constructor(vector: Vector, act: Act, daemon: NodeDaemon, pools: Pools) {
    this.#act = act;
    this.#daemon = daemon;
    this.#pools = pools;
    this.#places = {
      DIR: daemon.directory,
      SOCKET: daemon.socket,
      CONF_DIR: daemon.conf,
      BIN_DIR: daemon.bin,
      LOG_FILE: join(daemon.directory, "cni.log"),
      STORE: daemon.store,
    };
    this.#vector = fillIn(vector as unknown as Json, this.#places) as unknown as Vector;
  }

  async step(index: number, raw: Step): Promise<void> {
    const observed = await this.#carryOut(fillIn(raw as unknown as Json, this.#places) as unknown as Step);
    if (raw.expect === undefined || observed === undefined) return;
    const seen = takeOut(observed, this.#places);
    if (matches(seen, raw.expect)) return;
    const texts = [`step ${index} (${raw.do})`, `expected ${JSON.stringify(raw.expect)}`];
    throw new Error([...texts, `observed ${JSON.stringify(seen)}`, this.#daemon.log].join("\n  "));
  }

  /** Creates the pool, or replaces its spec, then writes its blocks, as the controller would. */
  async putPool({ kind, name, spec, allocations }: PoolSpec): Promise<void> {
    const made = await this.#pools.create(kind, name, spec);
    if (!made.ok && made.error.code !== "alreadyExists") throw new Error(made.error.message);
    if (!made.ok) must(await this.#pools.replaceSpec(kind, name, spec));
    must(await this.#pools.patchStatus(kind, name, { allocations }));
  }

  async #carryOut(step: Step): Promise<Json | undefined> {
    const kind = step.kind as Kind;
    switch (step.do) {
      case "putPool":
        await this.putPool(step as unknown as PoolSpec);
        await this.#settled(kind);
        return undefined;
      case "deletePool":
        must(await this.#pools.delete(kind, String(step.name)));
        await this.#settled(kind);
        return undefined;
      case "stopDaemon":
        await this.#daemon.end("SIGTERM");
        return undefined;
      case "killDaemon":
        await this.#daemon.end("SIGKILL");
        return undefined;
      case "startDaemon":
        await this.#daemon.start();
        return undefined;
      case "writeFile":
        writeFileSync(String(step.file), String(step.text));
        return undefined;
      case "install":
        return this.#installed();
      default:
        return this.#act(step, { places: this.#places, vector: this.#vector });
    }
  }

  /** Waits until the daemon knows a further pool of the kind: by then it knows what was done to others before. */
  async #settled(kind: Kind): Promise<void> {
    const name = `marker-${++this.#markers}`;
    const isPrefix = kind === "CIDRPool";
    await this.putPool({
      kind,
      name,
      spec: isPrefix
        ? { cidr: "198.18.0.0/24", perNodeNetworkPrefix: 28 }
        : { subnet: "198.18.0.0/24", perNodeBlockSize: 8 },
      allocations: [
        {
          nodeName: NODE,
          ...(isPrefix ? { prefix: "198.18.0.0/28" } : { startIP: "198.18.0.1", endIP: "198.18.0.8" }),
        },
      ],
    });
    const who = { pools: [name], container: "marker", kind, requested: [NOWHERE] };
    const asked = async (): Promise<string> => {
      try {
        await this.#daemon.client.allocate(who);
        return "OK";
      } catch (error) {
        return error instanceof StatusError ? error.status : String(error);
      }
    };
    await until(
      async () => !["NOT_FOUND", "UNAVAILABLE"].includes(await asked()),
      `the daemon knows ${name}`,
      () => this.#daemon.log,
    );
  }

  async #installed(): Promise<Json> {
    const binary = join(this.#daemon.bin, "nv-ipam");
    const conf = JSON.parse(await readFile(join(this.#daemon.conf, "nv-ipam.conf"), "utf8"));
    const executable = await access(binary, constants.X_OK).then(
      () => true,
      () => false,
    );
    const version = await runPlugin({ binary, env: { CNI_COMMAND: "VERSION" }, stdin: '{"cniVersion":"1.0.0"}' });
    return { conf, executable, version: JSON.parse(version.stdout) };
  }
}
