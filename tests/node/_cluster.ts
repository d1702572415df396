/** A whole cluster on this machine: API server, controllers, and nodes with real container runtimes. */
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PoolItem } from "../../src/lib/inspect/report.ts";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { KubeObject, Resource } from "../../src/lib/kube/object.ts";
import { ADMIN_TOKEN, ApiServer } from "../cluster/_api_server.ts";
import { addNetwork, installNetworks } from "../cluster/_network_definitions.ts";
import { type Kind, must, Pools } from "../cluster/_pools.ts";
import { until } from "../cluster/_wait.ts";
import { cgroupPaths, cgroupPrefix, makeCgroup, removeCgroup } from "./_cgroup.ts";
import type { Controller } from "./_controller.ts";
import { Deployment, POOL_NAMESPACE } from "./_deployment.ts";
import { packImage } from "./_image.ts";
import { PodInside } from "./_inside.ts";
import { BINDS, ClusterNode } from "./_node.ts";
import { Pods } from "./_pods.ts";
import { Reaper } from "./_reaper.ts";
import { settled } from "./_settled.ts";
import { Switch } from "./_switch.ts";

const NODES: Resource = { group: "", version: "v1", plural: "nodes" };

export { POOL_NAMESPACE } from "./_deployment.ts";

/** Where pods and networks are. */
export const POD_NAMESPACE = "default";

export interface ClusterSettings {
  /** Names of the nodes that are there from the beginning. */
  readonly nodes: readonly string[];
  /** How many controllers run. Default: as many as the manifests say. */
  readonly controllers?: number;
  readonly controllerFlags?: readonly string[];
  readonly ipamFlags?: readonly string[];
}

/** What stands before there are nodes. */
interface Ground {
  readonly directory: string;
  readonly reaper: Reaper;
  readonly switch: Switch;
  readonly api: ApiServer;
  /** The file with the containers' image. */
  readonly image: string;
  readonly deployment: Deployment;
}

export class Cluster {
  readonly api: ApiServer;
  readonly switch: Switch;
  readonly client: KubeClient;
  readonly pools: Pools;
  readonly pods: Pods;
  readonly #ground: Ground;
  readonly #settings: ClusterSettings;
  readonly #nodes = new Map<string, ClusterNode>();

  private constructor(ground: Ground, settings: ClusterSettings) {
    this.#ground = ground;
    this.#settings = settings;
    this.api = ground.api;
    this.switch = ground.switch;
    this.client = ground.api.client();
    this.pools = new Pools(this.client, POOL_NAMESPACE);
    this.pods = new Pods(this.client, POD_NAMESPACE);
  }

  /** Brings it up until every node is ready and every daemon answers. Where that fails, nothing of it is left. */
  static async start(settings: ClusterSettings): Promise<Cluster> {
    const { controllers, controllerFlags = [], nodes } = settings;
    const ground = await layGround(controllerFlags);
    const cluster = new Cluster(ground, settings);
    try {
      const boots = nodes.map(async (name) => void (await cluster.bootNode(name)));
      await settled([ground.deployment.startControllers(controllers), ...boots]);
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  /** A node by its name. */
  node(name: string): ClusterNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`there is no node ${name}`);
    return node;
  }

  get nodes(): readonly ClusterNode[] {
    return [...this.#nodes.values()];
  }

  /** Boots a node, also one that was there before, and waits until it is ready and its daemon answers. */
  async bootNode(name: string): Promise<ClusterNode> {
    const { directory, reaper, image, deployment } = this.#ground;
    const cgroup = `${cgroupPrefix(process.pid)}${name}`;
    reaper.cgroup(cgroup);
    // Of a group that was there before nothing is left, as after any start of a machine.
    const inUse = (): readonly string[] => cgroupPaths(cgroup).filter((path) => !removeCgroup(path));
    await until(() => inUse().length === 0, `control group ${cgroup} is free`, inUse);
    makeCgroup(cgroup);
    const flags = this.#settings.ipamFlags ?? [];
    const node = await ClusterNode.start(
      {
        name,
        root: join(directory, name),
        cgroup,
        switch: this.switch,
        reaper,
        image,
        kubeconfig: this.kubeconfig(),
        ipam: { ...(await deployment.daemon(name)), flags },
      },
      this.#nodes.get(name)?.address,
    );
    this.#nodes.set(name, node);
    await Promise.all([node.ipam.start(), this.untilCondition(name, "Ready", "True")]);
    return node;
  }

  /** Creates a pool and waits until each node's daemon gives addresses of it. */
  async definePool(kind: Kind, name: string, spec: unknown): Promise<void> {
    must(await this.pools.create(kind, name, spec));
    for (const { name: node, ipam } of this.nodes) {
      let pools: readonly PoolItem[] = [];
      await until(
        async () => {
          pools = await ipam.pools();
          return pools.some((pool) => pool.pool === name && pool.poolKind === kind && pool.block !== null);
        },
        `${node} has a block of ${kind} ${name}`,
        () => JSON.stringify(pools),
      );
    }
  }

  /** Defines a network that pods can name. */
  defineNetwork(name: string, config: unknown): Promise<void> {
    return addNetwork(this.client, POD_NAMESPACE, name, config);
  }

  /** The network of a pod as it sees it. @throws when the pod has no container. */
  inside(name: string): PodInside {
    const pod = this.pods.get(name);
    if (pod?.spec.nodeName === undefined) throw new Error(`there is no pod ${name} on a node`);
    return new PodInside(this.node(pod.spec.nodeName).machine, pod);
  }

  /** In the order of their starts. */
  get controllers(): readonly Controller[] {
    return this.#ground.deployment.controllers;
  }

  /** Starts one more controller and waits until it is ready. */
  startController(...flags: readonly string[]): Promise<Controller> {
    return this.#ground.deployment.startController(...flags);
  }

  /** Starts others in place of the controllers that have ended. */
  replaceEndedControllers(): Promise<void> {
    return this.#ground.deployment.replaceEnded();
  }

  /** The controller that leads, once there is one. */
  leader(): Promise<Controller> {
    return this.#ground.deployment.leader();
  }

  /** Waits until a condition of a node has this status, with these words in its message. @returns the message. */
  async untilCondition(node: string, type: string, status: "True" | "False", words = /(?:)/): Promise<string> {
    interface Node extends KubeObject {
      readonly status?: {
        readonly conditions?: readonly { readonly type: string; readonly status: string; readonly message: string }[];
      };
    }
    let last: unknown;
    let message: string | undefined;
    await until(
      async () => {
        const object = await this.client.get<Node>(NODES, { name: node });
        const found = object.ok ? object.value.status?.conditions?.find((each) => each.type === type) : undefined;
        last = object.ok ? found : object.error.message;
        message = found?.status === status && words.test(found.message) ? found.message : undefined;
        return message !== undefined;
      },
      `node ${node} has the condition ${type}=${status} ${words}`,
      () => `${JSON.stringify(last)}\n${this.node(node).kubelet.process.log.slice(-1500)}`,
      60_000,
    );
    return message ?? "";
  }

  /** A kubeconfig as text, with all that it needs inside. */
  kubeconfig(token = ADMIN_TOKEN): string {
    const authority = readFileSync(this.api.caFile).toString("base64");
    return JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "test", cluster: { server: this.api.url, "certificate-authority-data": authority } }],
      users: [{ name: "user", user: { token } }],
      contexts: [{ name: "test", context: { cluster: "test", user: "user" } }],
      "current-context": "test",
    });
  }

  /** Ends everything, as a power cut does, and removes its traces. @throws when some are left. */
  async remove(): Promise<void> {
    await this.pods.close();
    await this.api.remove();
    await this.#ground.reaper.finish();
  }
}

async function layGround(controllerFlags: readonly string[]): Promise<Ground> {
  const reaper = new Reaper();
  const directory = reaper.temporaryDirectory("nv-ipam-cluster-");
  const images = join(directory, "images");
  mkdirSync(images);
  let api: ApiServer | undefined;
  try {
    const image = await packImage(images);
    const made = await Switch.start({ name: "switch", root: join(directory, "switch"), binds: BINDS }, reaper);
    // The latter lets the API server ask the webhook without a proxy for Services.
    const flags = ["--kubelet-preferred-address-types=InternalIP", "--enable-aggregator-routing=true"];
    api = await ApiServer.start({ address: made.hostAddress, parent: directory, flags });
    const ground = { directory, reaper, switch: made, api };
    await installNetworks(api.client());
    const deployment = await Deployment.apply({ ...ground, controllerFlags });
    return { ...ground, image, deployment };
  } catch (error) {
    await api?.remove();
    await reaper.finish();
    throw error;
  }
}
