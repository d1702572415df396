/** A whole cluster on this machine: API server, controllers, and nodes with real container runtimes. */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PoolItem } from "../../src/lib/inspect/report.ts";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { KubeObject, Resource } from "../../src/lib/kube/object.ts";
import { ADMIN_TOKEN, ApiServer } from "../cluster/_api_server.ts";
import { installCrds, type Kind, must, Pools, until } from "../cluster/_pools.ts";
import { cgroupPrefix, makeCgroup } from "./_cgroup.ts";
import { packImage } from "./_image.ts";
import { PodInside } from "./_inside.ts";
import { EXECUTABLE } from "./_ipam.ts";
import type { MachineProcess } from "./_machine_process.ts";
import { NETWORK_CRD, NETWORKS } from "./_multus.ts";
import { BINDS, ClusterNode } from "./_node.ts";
import { Pods } from "./_pods.ts";
import { Reaper } from "./_reaper.ts";
import { Switch } from "./_switch.ts";

const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
const NODES: Resource = { group: "", version: "v1", plural: "nodes" };

/** Where pools are: the namespace that the original's manifests name. */
export const POOL_NAMESPACE = "kube-system";
/** Where pods and networks are. */
export const POD_NAMESPACE = "default";

export interface ClusterSettings {
  /** Names of the nodes that are there from the beginning. */
  readonly nodes: readonly string[];
  /** How many controllers run. Default: 1. */
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
}

export class Cluster {
  readonly api: ApiServer;
  readonly switch: Switch;
  readonly client: KubeClient;
  readonly pools: Pools;
  readonly pods: Pods;
  /** In the order of their starts. */
  readonly controllers: MachineProcess[] = [];
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
    const cluster = new Cluster(await layGround(), settings);
    try {
      const { client } = cluster;
      await Promise.all([installCrds(client), installNetworks(client)]);
      const { controllers = 1, nodes } = settings;
      const starts = Array.from({ length: controllers }, () => cluster.startController());
      await Promise.all([...starts, ...nodes.map((name) => cluster.bootNode(name))]);
      return cluster;
    } catch (error) {
      await cluster.remove();
      throw error;
    }
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
    const { directory, reaper, image } = this.#ground;
    const cgroup = `${cgroupPrefix(process.pid)}${name}`;
    reaper.cgroup(cgroup);
    makeCgroup(cgroup);
    const kubeconfig = this.kubeconfig();
    const node = await ClusterNode.start(
      {
        name,
        root: join(directory, name),
        cgroup,
        switch: this.switch,
        reaper,
        image,
        namespace: POOL_NAMESPACE,
        kubeconfigs: { node: kubeconfig, ipam: kubeconfig },
        ipamFlags: this.#settings.ipamFlags ?? [],
      },
      this.#nodes.get(name)?.address,
    );
    this.#nodes.set(name, node);
    await Promise.all([node.ipam.start(), this.#untilReady(node)]);
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
  async defineNetwork(name: string, config: unknown): Promise<void> {
    const object = {
      apiVersion: `${NETWORKS.group}/${NETWORKS.version}`,
      kind: "NetworkAttachmentDefinition",
      metadata: { name },
      spec: { config: JSON.stringify(config) },
    };
    must(await this.client.create(NETWORKS, POD_NAMESPACE, object));
  }

  /** The network of a pod as it sees it. @throws when the pod has no container. */
  inside(name: string): PodInside {
    const pod = this.pods.get(name);
    if (pod?.spec.nodeName === undefined) throw new Error(`there is no pod ${name} on a node`);
    return new PodInside(this.node(pod.spec.nodeName).machine, pod);
  }

  /** Starts one more controller. */
  async startController(): Promise<void> {
    const number = this.controllers.length;
    const kubeconfig = join(this.switch.machine.root, "controller.conf");
    writeFileSync(kubeconfig, this.kubeconfig(), { mode: 0o600 });
    const controller = await this.switch.machine.spawn(`controller-${number}`, EXECUTABLE, [
      "controller",
      "--kubeconfig=/controller.conf",
      `--ippools-namespace=${POOL_NAMESPACE}`,
      `--health-probe-bind-address=:${8100 + number}`,
      `--metrics-bind-address=:${8200 + number}`,
      "--leader-elect",
      ...(this.#settings.controllerFlags ?? []),
    ]);
    this.controllers.push(controller);
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
    await Promise.all(this.nodes.map(({ machine }) => machine.end()));
    await this.switch.machine.end();
    await this.api.remove();
    await this.#ground.reaper.finish();
  }

  async #untilReady({ name, kubelet }: ClusterNode): Promise<void> {
    interface Node extends KubeObject {
      readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
    }
    await until(
      async () => {
        const node = await this.client.get<Node>(NODES, { name });
        if (!node.ok) return false;
        return (node.value.status?.conditions ?? []).some(({ type, status }) => type === "Ready" && status === "True");
      },
      `node ${name} is ready`,
      () => kubelet.process.log,
      60_000,
    );
  }
}

async function layGround(): Promise<Ground> {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-cluster-"));
  const reaper = new Reaper();
  reaper.directory(directory);
  const images = join(directory, "images");
  mkdirSync(images);
  try {
    const [made, image] = await Promise.all([
      Switch.start({ name: "switch", root: join(directory, "switch"), binds: BINDS }, reaper),
      packImage(images),
    ]);
    const flags = ["--kubelet-preferred-address-types=InternalIP"];
    const api = await ApiServer.start({ address: made.hostAddress, parent: directory, flags });
    return { directory, reaper, switch: made, api, image };
  } catch (error) {
    await reaper.finish();
    throw error;
  }
}

async function installNetworks(client: KubeClient): Promise<void> {
  must(await client.create(CRDS, undefined, NETWORK_CRD));
  await until(async () => (await client.list(NETWORKS)).ok, "networks can be defined");
}
