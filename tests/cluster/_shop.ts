/** A cluster with two pools, networks and a pod that has an address: what users look at with `nv-ipam inspect`. */
import { mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import * as assert from "uvu/assert";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import { schemaErrors } from "../inspect/_schema.ts";
import { EXECUTABLE } from "../plugin.ts";
import { type Outcome, runProgram } from "../program.ts";
import type { ApiServer } from "./_api_server.ts";
import { ControllerProcess } from "./_controller.ts";
import { KUBECTL } from "./_kubectl.ts";
import { addNetwork, installNetworks } from "./_network_definitions.ts";
import { installCrds, type Json, must, Pools, startWith } from "./_pools.ts";

export const PODS: Resource = { group: "", version: "v1", plural: "pods" };

/** Its pools are in kube-system, its pods in the namespace shop, its nodes a, b and c; the user nobody has no rights. */
export class Shop {
  readonly server: ApiServer;
  readonly client: KubeClient;
  readonly pools: Pools;

  private constructor(server: ApiServer, client: KubeClient) {
    this.server = server;
    this.client = client;
    this.pools = new Pools(client, "kube-system");
  }

  /** @returns it, furnished; call `remove` at the end. */
  static async open(): Promise<Shop> {
    const { server, client } = await startWith(installCrds, { users: [{ token: "nobody-token", user: "nobody" }] });
    const shop = new Shop(server, client);
    try {
      await shop.#furnish();
      return shop;
    } catch (error) {
      await shop.remove();
      throw error;
    }
  }

  remove(): Promise<void> {
    return this.server.remove();
  }

  inspect(...args: readonly string[]): Promise<Outcome> {
    return runProgram(EXECUTABLE, ["inspect", ...args, `--kubeconfig=${this.server.kubeconfig}`]);
  }

  /** What `inspect` writes as JSON, which keeps the schema. */
  async document(...args: readonly string[]): Promise<Record<string, Json> & { items: readonly Json[] }> {
    const { stdout, stderr } = await this.inspect(...args, "-o", "json");
    assert.is(stderr, "");
    const read = JSON.parse(stdout);
    assert.is(schemaErrors(read), "");
    assert.equal(read.source, { type: "cluster", place: this.server.url, node: "" });
    return read;
  }

  /** kubectl with the plugin; it finds its plugins by their names on PATH. */
  kubectl(...args: readonly string[]): Promise<Outcome> {
    const { directory, kubeconfig } = this.server;
    const env = { PATH: `${join(directory, "bin")}:${process.env.PATH}`, KUBECONFIG: kubeconfig, HOME: directory };
    return runProgram(KUBECTL, args, { env });
  }

  /** A pod that asks for networks, and what of the network `shown` it has. @returns its UID. */
  async addPod(
    name: string,
    node: string,
    addresses: readonly string[],
    networks: string,
    shown = "shop/net-a",
  ): Promise<string> {
    const status = [
      { name: "kindnet", interface: "eth0", default: true, ips: ["10.244.0.9"] },
      { name: shown, interface: "net1", ips: addresses },
    ];
    const annotations = {
      "k8s.v1.cni.cncf.io/networks": networks,
      ...(addresses.length > 0 && { "k8s.v1.cni.cncf.io/network-status": JSON.stringify(status) }),
    };
    const spec = { ...(node !== "" && { nodeName: node }), containers: [{ name: "c", image: "x" }] };
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name, annotations }, spec };
    return must(await this.client.create(PODS, "shop", pod)).metadata.uid ?? "";
  }

  async #furnish(): Promise<void> {
    const { server, client, pools } = this;
    await Pools.inNewNamespace(client, "shop");
    for (const node of ["a", "b", "c"]) await pools.addNode(node);
    must(
      await pools.create("IPPool", "pool1", {
        subnet: "10.0.0.0/24",
        perNodeBlockSize: 8,
        gateway: "10.0.0.1",
        exclusions: [{ startIP: "10.0.0.3", endIP: "10.0.0.4" }],
        nodeSelector: {
          nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "NotIn", values: ["c"] }] }],
        },
      }),
    );
    must(await pools.create("CIDRPool", "routed", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 }));
    const controller = await ControllerProcess.start({ kubeconfig: server.kubeconfig, namespace: "kube-system" });
    try {
      await pools.untilBlocks("IPPool", "pool1", ["a 10.0.0.1-10.0.0.8", "b 10.0.0.9-10.0.0.16"]);
      await pools.untilBlocks("CIDRPool", "routed", ["a 10.20.0.0/24", "b 10.20.1.0/24", "c 10.20.2.0/24"]);
    } finally {
      await controller.kill();
    }
    await installNetworks(client);
    const addIpam = (name: string, ipam: Json) =>
      addNetwork(client, "shop", name, { cniVersion: "1.0.0", name, type: "macvlan", ipam });
    await addIpam("net-a", { type: "nv-ipam", poolName: "pool1" });
    await addIpam("net-b", { type: "host-local", subnet: "10.0.0.0/24" });
    await addIpam("net-c", { type: "nv-ipam", poolName: "pool2" });
    await this.addPod("web", "a", ["10.0.0.2"], "net-a");
    const bin = join(server.directory, "bin");
    mkdirSync(bin);
    symlinkSync(EXECUTABLE, join(bin, "kubectl-nvipam"));
  }
}
