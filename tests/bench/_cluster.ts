/** A real API server with many Node objects, and the processes that are measured at it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import type { ApiServer } from "../cluster/_api_server.ts";
import { ControllerProcess } from "../cluster/_controller.ts";
import { NodeDaemon } from "../cluster/_node.ts";
import { installCrds, must, Pools, startWith } from "../cluster/_pools.ts";

/** Requests of the bench itself that are under way at once. */
const AT_ONCE = 16;
const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const WORKER = "node-role.kubernetes.io/worker";

/** Selects every node of the cluster. */
export const NODE_SELECTOR = { nodeSelectorTerms: [{ matchExpressions: [{ key: WORKER, operator: "Exists" }] }] };

/** Call `remove` at the end, whatever happens. */
export class Cluster {
  readonly client: KubeClient;
  readonly #server: ApiServer;
  /** Whatever is to be ended. */
  readonly #running = new Set<{ end(): Promise<unknown> }>();
  readonly #nodes: string[] = [];
  #namespaces = 0;

  private constructor(server: ApiServer, client: KubeClient) {
    this.#server = server;
    this.client = client;
  }

  /** An API server that has our CRDs, without nodes yet. */
  static async start(): Promise<Cluster> {
    const { server, client } = await startWith(installCrds);
    return new Cluster(server, client);
  }

  /** A client of its own connection. */
  newClient(): KubeClient {
    return this.#server.client();
  }

  /** A new namespace. */
  namespace(): Promise<Pools> {
    return Pools.inNewNamespace(this.client, `bench-${++this.#namespaces}`);
  }

  /** Makes Node objects until there are so many, or deletes those that are too many. */
  async haveNodes(count: number): Promise<void> {
    const missing = Array.from({ length: Math.max(0, count - this.#nodes.length) }, (_, index) =>
      nodeName(this.#nodes.length + index),
    );
    await inParallel(missing, async (name) => {
      must(await this.client.create(NODES, undefined, nodeObject(name)));
    });
    this.#nodes.push(...missing);
    await inParallel(this.#nodes.splice(count), async (name) => {
      must(await this.client.delete(NODES, { name }));
    });
  }

  /** Makes Node objects if there are fewer. */
  async haveAtLeast(count: number): Promise<void> {
    if (this.#nodes.length < count) await this.haveNodes(count);
  }

  /** What every kubelet does from time to time: tells that its node is well. Nothing else changes. */
  async heartbeats(): Promise<number> {
    const lastHeartbeatTime = new Date().toISOString().replace(/\.\d+Z$/, "Z");
    const status = { conditions: [{ type: "Ready", status: "True", reason: "KubeletReady", lastHeartbeatTime }] };
    await inParallel(this.#nodes, async (name) => {
      must(await this.client.patch(NODES, { name }, { status }, { type: "strategic", subresource: "status" }));
    });
    return this.#nodes.length;
  }

  /** A controller, just spawned. */
  async controller({ namespace }: Pools, flags: readonly string[] = []): Promise<ControllerProcess> {
    const { kubeconfig } = this.#server;
    const controller = await ControllerProcess.spawn({ kubeconfig, namespace, flags });
    this.#running.add({ end: () => controller.kill() });
    return controller;
  }

  /** The daemon of a node, not started yet. */
  node({ namespace }: Pools, nodeName: string, flags: readonly string[] = []): NodeDaemon {
    const daemon = new NodeDaemon({ kubeconfig: this.#server.kubeconfig, namespace, nodeName, flags });
    this.#running.add({ end: () => daemon.remove() });
    return daemon;
  }

  /** A process beside ours that runs a script of this folder, given the kubeconfig and the arguments; it is ready. */
  async beside(script: string, args: readonly string[]): Promise<{ readonly pid: number; end(): Promise<void> }> {
    const program = join(import.meta.dirname, script);
    const child = spawn(process.execPath, [program, this.#server.kubeconfig, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const ended = once(child, "exit");
    const running = {
      pid: child.pid ?? -1,
      end: async () => {
        child.kill("SIGKILL");
        await ended;
      },
    };
    this.#running.add(running);
    await Promise.race([once(child.stdout, "data"), ended]);
    if (child.exitCode !== null) throw new Error(`${script} has ended`);
    return running;
  }

  /** The value of a metric of the API server whose line has all of the words. */
  async serverMetric(words: readonly string[]): Promise<number> {
    const text = must(await this.client.raw("/metrics"));
    const lines = text.split("\n").filter((line) => words.every((word) => line.includes(word)));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
  }

  /** Ends everything and removes its files. */
  async remove(): Promise<void> {
    await Promise.all([...this.#running].map((process) => process.end()));
    await this.#server.remove();
  }
}

/** Does the work for each item, a few at a time. @throws the first failure. */
export async function inParallel<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  atOnce = AT_ONCE,
): Promise<void> {
  const waiting = items.values();
  const worker = async (): Promise<void> => {
    for (const item of waiting) await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

/** The name of the n-th node. */
export function nodeName(index: number): string {
  return `worker-${String(index).padStart(5, "0")}.example.internal`;
}

/** With the labels that nodes of a cluster usually have. */
function nodeObject(name: string): unknown {
  const labels = {
    [WORKER]: "",
    "beta.kubernetes.io/arch": "amd64",
    "beta.kubernetes.io/os": "linux",
    "kubernetes.io/arch": "amd64",
    "kubernetes.io/hostname": name,
    "kubernetes.io/os": "linux",
    "node.kubernetes.io/instance-type": "dgx-h100",
    "topology.kubernetes.io/region": "region-1",
    "topology.kubernetes.io/zone": "zone-1",
  };
  const annotations = { "volumes.kubernetes.io/controller-managed-attach-detach": "true" };
  return { apiVersion: "v1", kind: "Node", metadata: { name, labels, annotations } };
}
