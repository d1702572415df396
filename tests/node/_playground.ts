/** Brings a cluster up for people to play with, and takes it down when they are done. */
import { once } from "node:events";
import { Cluster, POOL_NAMESPACE } from "./_cluster.ts";
import { KUBECTL } from "./_kubectl.ts";
import { MASTER } from "./_switch.ts";

console.log("The cluster comes up: one node, two pools, two networks, one pod.");
const cluster = await Cluster.start({ nodes: ["n1"] });
try {
  await fill();
  console.log(instructions());
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  console.log("\nThe cluster is taken down.");
} finally {
  await cluster.remove();
}

async function fill(): Promise<void> {
  await cluster.switch.answer("10.10.0.1/16");
  await cluster.definePool("IPPool", "flat", { subnet: "10.10.0.0/16", perNodeBlockSize: 100, gateway: "10.10.0.1" });
  await cluster.definePool("CIDRPool", "routed", { cidr: "fd10::/48", perNodeNetworkPrefix: 64, gatewayIndex: 1 });
  for (const [name, ipam] of [
    ["flat", { poolName: "flat" }],
    ["routed", { poolName: "routed", poolType: "cidrpool" }],
  ] as const) {
    const plugin = { type: "macvlan", master: MASTER, mode: "bridge" };
    await cluster.defineNetwork(name, { cniVersion: "1.0.0", name, ...plugin, ipam: { type: "nv-ipam", ...ipam } });
  }
  await cluster.pods.run({ name: "first", node: "n1", networks: ["flat", "routed"] });
}

function instructions(): string {
  const { machine } = cluster.node("n1");
  return `
In another terminal, as root:

  export KUBECONFIG=${cluster.api.kubeconfig}
  alias kubectl=${KUBECTL}
  kubectl -n ${POOL_NAMESPACE} get ippools,cidrpools
  kubectl get pods -o wide
  kubectl get pod first -o yaml             # its annotation network-status
  kubectl exec first -- /bin/busybox ip address
  kubectl get pod first -o json | sed 's/"first"/"second"/' | kubectl create -f -
  kubectl -n ${POOL_NAMESPACE} patch ippool flat --type=merge -p '{"spec":{"perNodeBlockSize":50}}'   # refused: blocks would move

  nsenter --target ${machine.pid} --all     # a shell on the node
  /nv-ipam inspect pools
  /nv-ipam inspect reservations
  cat /var/log/nv-ipam-cni.log

Logs of the node's programs are in ${machine.root}/var/log, those of the controllers in
${cluster.controllers.map(({ machine: { root } }) => `${root}/var/log`).join(" and ")}.
Ctrl-C takes everything down.`;
}
