/** A process that stands for election and, while it leads, says every few milliseconds whether it may write. */
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { KubeClient } from "../../../src/lib/kube/client.ts";
import { Connection } from "../../../src/lib/kube/connection.ts";
import { LeaderElection } from "../../../src/lib/kube/leader_election.ts";

const [kubeconfig = "", name = "", leaseDurationMs = "", renewDeadlineMs = ""] = process.argv.slice(2);
const config = new KubeConfig();
config.loadFromFile(kubeconfig);
const client = new KubeClient(new Connection(config, { userAgent: "nv-ipam-test" }));
const election = new LeaderElection({
  client,
  namespace: "kube-system",
  name,
  identity: "process",
  leaseDurationMs: Number(leaseDurationMs),
  renewDeadlineMs: Number(renewDeadlineMs),
  retryPeriodMs: 200,
});
const saying = setInterval(() => {
  if (election.isLeader) console.log(election.mayWrite() ? "may" : "may not");
}, 5);
const ended = await election.run(
  new AbortController().signal,
  (signal) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true })),
);
clearInterval(saying);
console.log(ended);
await client.close();
