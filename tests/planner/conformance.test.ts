/** The recorded stories of the original's controller, told to validation and planner alone. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parsePool } from "../../src/lib/api/parse.ts";
import type { PoolKind } from "../../src/lib/api/types.ts";
import { validatePool } from "../../src/lib/api/validate.ts";
import { readVectors, type Step } from "../conformance/vector.ts";
import { Cluster, type Json } from "./_cluster.ts";

interface Expected {
  readonly pools: Readonly<Record<string, readonly Json[]>>;
  readonly events?: readonly string[];
  readonly rejected?: boolean;
}

/** Pools reach the controller unchecked, or a webhook refuses what is invalid. */
type Admission = "unchecked" | "webhook";

class Replay {
  readonly cluster = new Cluster();
  readonly refused = new Map<string, Json>();
  readonly admission: Admission;
  running = false;

  constructor(admission: Admission) {
    this.admission = admission;
  }

  step(step: Step): void {
    const expected = step.expect as unknown as Expected | undefined;
    this.#carryOut(step, expected?.rejected ?? false);
    if (this.running) this.cluster.settle();
    if (expected !== undefined) this.#check(expected);
  }

  #carryOut(step: Step, rejected: boolean): void {
    const { cluster } = this;
    const kind = step.kind as PoolKind;
    const name = String(step.name);
    const key = `${kind}/${name}`;
    switch (step.do) {
      case "createNodes":
        for (const node of step.nodes as unknown as { name: string; labels?: Record<string, string> }[]) {
          cluster.addNode(node.name, node.labels);
        }
        break;
      case "setLabels":
        this.#setLabels(String(step.node), step.labels as Record<string, string | null>);
        break;
      case "deleteNode":
        cluster.nodes.delete(String(step.node));
        break;
      case "createPool":
        this.#create(kind, name, step.spec as Json, (step.annotations ?? {}) as Record<string, string>, rejected);
        break;
      case "patchSpec": {
        const before = this.refused.get(key) ?? cluster.pools.get(key)?.spec ?? {};
        this.#edit(kind, name, mergePatch(before, step.spec as Json));
        break;
      }
      case "replaceSpec":
        this.#edit(kind, name, step.spec as Json);
        break;
      case "deletePool":
        cluster.pools.delete(key);
        break;
      case "startController":
        this.running = true;
        cluster.restart();
        break;
      case "stopController":
        this.running = false;
        break;
      default:
        throw new Error(`unknown step ${step.do}`);
    }
  }

  #setLabels(node: string, labels: Readonly<Record<string, string | null>>): void {
    const merged: Record<string, string | null> = { ...this.cluster.nodes.get(node)?.labels, ...labels };
    const kept = Object.entries(merged).filter((entry): entry is [string, string] => entry[1] !== null);
    this.cluster.addNode(node, Object.fromEntries(kept));
  }

  #create(kind: PoolKind, name: string, spec: Json, annotations: Record<string, string>, rejected: boolean): void {
    const refused = isRefused(kind, name, spec);
    if (rejected) assert.ok(refused, `${kind}/${name} must be refused`);
    if (refused && (rejected || this.admission === "webhook")) this.refused.set(`${kind}/${name}`, spec);
    else this.cluster.addPool(kind, name, spec, annotations);
  }

  #edit(kind: PoolKind, name: string, spec: Json): void {
    const key = `${kind}/${name}`;
    const refused = this.admission === "webhook" && isRefused(kind, name, spec);
    if (this.refused.delete(key)) {
      if (refused) this.refused.set(key, spec);
      else this.cluster.addPool(kind, name, spec);
    } else if (!refused) this.cluster.edit(key, spec);
  }

  #check(expected: Expected): void {
    const observed = Object.fromEntries(
      [...this.cluster.pools].map(([key, pool]) => [key, pool.status?.allocations ?? []]),
    );
    const wanted = Object.entries(expected.pools).filter(([key]) => !this.refused.has(key));
    assert.equal(observed, Object.fromEntries(wanted));
    for (const event of expected.events ?? []) {
      if (this.refused.has(event.split(" ", 1)[0] ?? "")) continue;
      assert.ok(this.cluster.events.includes(event), `${event} is missing among ${this.cluster.events.join(", ")}`);
    }
  }
}

function isRefused(kind: PoolKind, name: string, spec: Json): boolean {
  const parsed = parsePool({ apiVersion: "nv-ipam.nvidia.com/v1alpha1", kind, metadata: { name }, spec });
  return !parsed.ok || validatePool(parsed.value).errors.length > 0;
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

for (const admission of ["unchecked", "webhook"] as const) {
  const test = suite(`controller vectors, ${admission}`);
  for (const vector of readVectors("controller")) {
    test(`${vector.name}: ${vector.why}`, () => {
      const replay = new Replay(admission);
      for (const step of vector.steps) replay.step(step);
    });
  }
  test.run();
}
