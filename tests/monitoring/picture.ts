/** Draws docs/dashboard.svg of a controller and two node daemons at work; scripts/picture calls it. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { ControllerProcess } from "../cluster/_controller.ts";
import { NodeDaemon } from "../cluster/_node.ts";
import { installCrds, must, Pools, startWith } from "../cluster/_pools.ts";
import { StatusError } from "../daemon_client.ts";
import { seededRandom } from "../random.ts";
import { panelQueries } from "./_manifests.ts";
import { promql, type Scrape } from "./_promql.ts";
import { type Drawn, draw } from "./_svg.ts";

const SECONDS = 120;
const STEP = 2;
const PANELS = [
  "Blocks in use",
  "Fullest blocks",
  "Addresses in use",
  "Requests",
  "Refused",
  "Blocks that rest",
  "Time of an allocation",
  "Time of a sync",
  "Memory",
];

const { server, client } = await startWith(installCrds);
const stops: (() => Promise<unknown>)[] = [() => server.remove()];
try {
  const namespace = "kube-system";
  const pools = new Pools(client, namespace);
  const { kubeconfig } = server;
  const names = ["node-1", "node-2", "node-3"];
  for (const name of names) await pools.addNode(name);
  must(await pools.create("IPPool", "storage", { subnet: "10.0.0.0/25", perNodeBlockSize: 40, gateway: "10.0.0.1" }));
  must(await pools.create("CIDRPool", "fabric", { cidr: "10.9.0.0/16", perNodeNetworkPrefix: 25, gatewayIndex: 1 }));
  const controller = await ControllerProcess.start({ kubeconfig, namespace });
  stops.unshift(() => controller.kill());
  const nodes = names.slice(0, 2).map((nodeName) => {
    const node = new NodeDaemon({ kubeconfig, namespace, nodeName, flags: ["--metrics-bind-address=127.0.0.1:0"] });
    stops.unshift(() => node.remove());
    return node;
  });
  for (const node of nodes) await node.start();
  const scrapes: Scrape[] = [];
  const work = nodes.map((node, index) => load(node, 3 - index));
  for (let time = 0; time <= SECONDS; time += STEP) {
    if (time === 60) await pools.deleteNode("node-3");
    const add = (job: string, instance: string, text: string) =>
      scrapes.push({ time, labels: { job: `kube-system/${job}`, instance }, text });
    add("nv-ipam-controller", "10.1.0.7:8080", await controller.metrics());
    for (const [index, node] of nodes.entries()) {
      add("nv-ipam-node", names[index] ?? "", await (await fetch(addressOf(node.log))).text());
    }
    await delay(STEP * 1000);
  }
  await Promise.all(work);
  const caption = `What a controller and two daemons of this repository showed within ${SECONDS / 60} minutes of ADDs and DELs`;
  writeFileSync(join(import.meta.dirname, "../../docs/dashboard.svg"), draw(panelsOf(scrapes), SECONDS, caption));
} finally {
  for (const stop of stops) await stop();
}

function addressOf(log: string): string {
  const address = /"Listening" for="metrics" address="([^"]+)"/.exec(log)?.[1];
  if (address === undefined) throw new Error(`the log names no address of metrics:\n${log}`);
  return `http://${address}/metrics`;
}

interface Pod {
  readonly pools: readonly string[];
  readonly kind: "IPPool" | "CIDRPool";
}

/** Pods come and go, and more come than go. @param rate how many come a second. */
async function load({ client: daemon }: NodeDaemon, rate: number): Promise<void> {
  const random = seededRandom("pods", 7);
  const kinds = [
    { pools: ["storage"], kind: "IPPool" },
    { pools: ["fabric"], kind: "CIDRPool" },
  ] as const;
  const running: (Pod & { readonly container: string })[] = [];
  const end = performance.now() + SECONDS * 1000;
  for (let count = 0; performance.now() < end; count++) {
    const pod = { container: `c${count}`, ...random.pick<Pod>(kinds) };
    try {
      await daemon.allocate(pod);
      running.push(pod);
    } catch (error) {
      if (!(error instanceof StatusError)) throw error;
    }
    if (random.below(10) < 7) {
      for (const gone of running.splice(random.below(running.length || 1), 1)) await daemon.deallocate(gone);
    }
    await delay(random.below(2000 / rate));
  }
}

function panelsOf(scrapes: readonly Scrape[]): Drawn[] {
  const asked = PANELS.flatMap((wanted) => panelQueries("30s").filter(({ title }) => title === wanted));
  const queries = asked.map(({ expr }) => ({ expr, start: 0, end: SECONDS, step: STEP }));
  const { results } = promql({ scrapes, queries });
  return PANELS.map((wanted) => {
    const parts = asked.flatMap((query, index) => (query.title === wanted ? [{ query, result: results[index] }] : []));
    const [first] = parts;
    if (first === undefined) throw new Error(`the dashboard has no panel ${wanted}`);
    const series = parts.flatMap(({ query, result }) =>
      (result?.series ?? []).map(({ labels, samples }) => ({
        name: query.legend
          .replaceAll(/\{\{(\w+)\}\}/g, (_, label: string) => labels[label] ?? "")
          .replace("kube-system/", ""),
        samples,
      })),
    );
    return { title: wanted, bars: first.query.type === "bargauge", unit: first.query.unit, series };
  });
}
