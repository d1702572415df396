/** Brings a cluster with a pod up, tells each step in a line, and takes it down on SIGTERM. Arguments are flags of its controllers. */
import { Cluster } from "./_cluster.ts";
import { MASTER } from "./_switch.ts";

console.log("begins");
const cluster = await Cluster.start({ nodes: ["n1"], controllerFlags: process.argv.slice(2) });
const waiting = setInterval(() => undefined, 1000);
process.once("SIGTERM", async () => {
  await cluster.remove();
  clearInterval(waiting);
});
await cluster.definePool("IPPool", "flat", { subnet: "10.10.0.0/16", perNodeBlockSize: 100 });
const ipam = { type: "nv-ipam", poolName: "flat" };
await cluster.defineNetwork("net", { cniVersion: "1.0.0", name: "net", type: "macvlan", master: MASTER, ipam });
await cluster.pods.run({ name: "p", node: "n1", networks: ["net"] });
console.log("has a pod");
