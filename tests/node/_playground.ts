/** Brings a cluster up for people to play with, and takes it down when they are done. */
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { KUBECTL } from "../cluster/_kubectl.ts";
import { Cluster, POOL_NAMESPACE } from "./_cluster.ts";
import { defineNetwork, MACVLAN } from "./_networks.ts";
import { manifest } from "./_pods.ts";

console.log("The cluster comes up: one node, two pools, two networks, one pod.");
const cluster = await Cluster.start({ nodes: ["n1"] });
try {
  await fill();
  console.log(instructions(writeSecond()));
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
    await defineNetwork(cluster, name, MACVLAN, ipam);
  }
  await cluster.pods.run({ name: "first", node: "n1", networks: ["flat", "routed"] });
}

/** A pod that a user can create. @returns the file's path. */
function writeSecond(): string {
  const file = join(cluster.api.directory, "second.json");
  const pod = manifest({ name: "second", node: "n1", networks: ["flat"] });
  writeFileSync(file, `${JSON.stringify(pod, null, 2)}\n`);
  return file;
}

function instructions(second: string): string {
  const { machine } = cluster.node("n1");
  return `
In another terminal, as root:

  export KUBECONFIG=${cluster.api.kubeconfig}
  alias kubectl=${KUBECTL}
  kubectl -n ${POOL_NAMESPACE} get ippools,cidrpools
  kubectl get pods -o wide
  kubectl get pod first -o yaml             # its annotation network-status
  kubectl exec first -- /bin/busybox ip address
  kubectl create -f ${second}
  kubectl -n ${POOL_NAMESPACE} patch ippool flat --type=merge -p '{"spec":{"perNodeBlockSize":50}}'   # refused: blocks would move

  nsenter --target ${machine.pid} --all     # a shell on the node
  /nv-ipam inspect pools
  /nv-ipam inspect reservations
  cat /var/log/nv-ipam-cni.log

Logs of the node's programs are in ${machine.root}/var/log, those of the controllers in
${cluster.controllers.map(({ machine: { root } }) => `${root}/var/log`).join(" and ")}.
Ctrl-C takes everything down.`;
}
