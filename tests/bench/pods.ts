/**
 * What pods with secondary interfaces cost on a real node, beside pods whose addresses come from host-local: how long they take
 * to run, how much of that is our plugin's and our daemon's, and the CPU time of each.
 */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../node/_cluster.ts";
import type { MachineProcess } from "../node/_machine_process.ts";
import { defineNetwork, MACVLAN } from "../node/_networks.ts";
import type { ClusterNode } from "../node/_node.ts";
import { isRunning } from "../node/_pods.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const PODS = 20;
const INTERFACES = 4;
/** A hundred pods of either kind. */
const ROUNDS = 5;
/** As long as with host-local, but for noise. */
const TIME_BOUND = 1.2;
const LOG = "var/log/nv-ipam-cni.log";

/** One round of pods that came and went. */
interface Round {
  /** From the first request to the API server until the last pod was seen to run, in seconds. */
  readonly seconds: number;
  /** The sum over the pods of the time until each ran, in seconds. */
  readonly podSeconds: number;
  /** CPU seconds of containerd's children: CNI plugins, and what starts and removes shims. */
  readonly children: number;
}

/** What our parts noted of a round. */
interface Noted {
  /**
   * Sums over the calls of ADD, in seconds: of the processes, of the commands with the daemon's answers, of the daemon's time for
   * these, from a call's arrival until its answer was ready.
   */
  readonly total: number;
  readonly asking: number;
  readonly daemon: number;
  /** CPU seconds. */
  readonly cpu: { readonly plugin: number; readonly daemon: number; readonly controller: number };
}

/** Brings a cluster up and measures rounds with our plugin and with host-local in turn. */
export async function pods(): Promise<Row[]> {
  const cluster = await Cluster.start({ nodes: ["n1"], controllers: 1 });
  try {
    const machine = cluster.node("n1");
    await define(cluster);
    const ours: (Round & Noted)[] = [];
    const others: Round[] = [];
    // In the first one everything is done for the first time.
    for (const network of ["ours", "others"]) await round(cluster, machine, network, 0);
    for (let number = 1; number <= ROUNDS; number++) {
      ours.push(await noted(cluster, machine, () => round(cluster, machine, "ours", number)));
      others.push(await round(cluster, machine, "others", number));
    }
    return rows(ours, others);
  } finally {
    await cluster.remove();
  }
}

async function define(cluster: Cluster): Promise<void> {
  await cluster.definePool("IPPool", "bench", { subnet: "10.10.0.0/16", perNodeBlockSize: 1000 });
  const ipam = {
    ours: { poolName: "bench" },
    others: { type: "host-local", ranges: [[{ subnet: "10.20.0.0/16" }]] },
  };
  for (const [name, each] of Object.entries(ipam)) await defineNetwork(cluster, name, MACVLAN, each);
}

async function round(
  { pods }: Cluster,
  { name: node, containerd }: ClusterNode,
  network: string,
  number: number,
): Promise<Round> {
  const names = Array.from({ length: PODS }, (_, index) => `${network}-${number}-${index}`);
  const networks = Array.from({ length: INTERFACES }, () => network);
  const before = cpuSeconds(containerd.process).children;
  const started = performance.now();
  const times = new Map<string, number>();
  const end = pods.subscribe(() => {
    for (const each of names) {
      if (!times.has(each) && isRunning(pods.get(each))) times.set(each, (performance.now() - started) / 1000);
    }
  });
  await pods.run(...names.map((each) => ({ name: each, node, networks })));
  end();
  await pods.remove(...names);
  const children = cpuSeconds(containerd.process).children - before;
  const all = [...times.values()];
  return { seconds: Math.max(...all), podSeconds: all.reduce((sum, each) => sum + each, 0), children };
}

/** Does the round and adds what our parts noted of it. */
async function noted(
  cluster: Cluster,
  { machine, ipam }: ClusterNode,
  run: () => Promise<Round>,
): Promise<Round & Noted> {
  const file = join(machine.root, LOG);
  const log = (): string => (existsSync(file) ? readFileSync(file, "utf8") : "");
  const daemonSeconds = async (): Promise<number> => {
    const text = await machine.run("busybox", "wget", "-qO-", "http://127.0.0.1:8080/metrics");
    return numberIn(text, /^nvipam_request_duration_seconds_sum\{method="Allocate"\} (.*)$/m);
  };
  const [controller] = cluster.controllers;
  if (controller === undefined) throw new Error("there is no controller");
  const cpu = (): readonly [number, number] => [cpuSeconds(ipam.process).own, cpuSeconds(controller.process).own];
  const [text, seconds, [daemonCpu, controllerCpu]] = [log(), await daemonSeconds(), cpu()];
  const measured = await run();
  const lines = log()
    .slice(text.length)
    .split("\n")
    .filter((line) => line.includes(" cpuMs="));
  const adds = lines.filter((line) => line.includes(" ADD "));
  if (adds.length < PODS * INTERFACES) throw new Error(`the plugin's log has ${adds.length} lines of ADD`);
  const [daemonAfter, controllerAfter] = cpu();
  return {
    ...measured,
    total: sumOf(adds, "totalMs"),
    asking: sumOf(adds, "ms"),
    daemon: (await daemonSeconds()) - seconds,
    cpu: {
      plugin: sumOf(lines, "cpuMs"),
      daemon: daemonAfter - daemonCpu,
      controller: controllerAfter - controllerCpu,
    },
  };
}

/** The sum of a value in milliseconds over lines of the log, in seconds. */
function sumOf(lines: readonly string[], name: string): number {
  const pattern = new RegExp(` ${name}=(\\d+)`);
  return lines.reduce((sum, line) => sum + numberIn(line, pattern), 0) / 1000;
}

/** What the pattern finds. @throws when it finds no number. */
function numberIn(text: string, pattern: RegExp): number {
  const found = pattern.exec(text)?.[1];
  const number = Number(found);
  if (found === undefined || Number.isNaN(number)) throw new Error(`there is no ${pattern} in ${text}`);
  return number;
}

/** CPU seconds of a process so far, and of the children that it has waited for, with theirs. */
function cpuSeconds({ pid }: MachineProcess): { readonly own: number; readonly children: number } {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat
    .slice(stat.lastIndexOf(")") + 2)
    .split(" ")
    .map(Number);
  const [user = 0, system = 0, childrenUser = 0, childrenSystem = 0] = fields.slice(11);
  // The kernel tells programs hundredths of a second, whatever its own clock is.
  return { own: (user + system) / 100, children: (childrenUser + childrenSystem) / 100 };
}

function rows(ours: readonly (Round & Noted)[], others: readonly Round[]): Row[] {
  const over = (of: (round: Round) => number, what: string, unit: "s", per = 1): Omit<Row, "what"> => ({
    value: median(ours.map(of)) * per,
    unit,
    beside: { what, value: median(others.map(of)) * per, ratio: pairedRatio(ours.map(of), others.map(of)) },
  });
  const share = (what: string, of: (round: Noted) => number): Row => ({
    what: `of a pod's time until it runs: ${what}`,
    value: 100 * median(ours.map((each) => of(each) / each.podSeconds)),
    unit: "%",
  });
  const perHundred = 100 / PODS;
  const cpu = (what: string, of: (cpu: Noted["cpu"]) => number): Row => ({
    what: `CPU for 100 pods, come and gone: ${what}`,
    value: median(ours.map((each) => of(each.cpu))) * perHundred,
    unit: "s",
  });
  return [
    {
      what: `${PODS} pods with 1 + ${INTERFACES} interfaces, until all run`,
      ...over(({ seconds }) => seconds, "with host-local", "s"),
      bound: { most: TIME_BOUND },
    },
    share("calls of the plugin, from start to answer", ({ total }) => total),
    share("of that the commands, the daemon's answers included", ({ asking }) => asking),
    share("of the commands the daemon's work, the disk included", ({ daemon }) => daemon),
    share("of the commands the rest: the way there and back, waiting", ({ asking, daemon }) => asking - daemon),
    cpu("calls of the plugin", ({ plugin }) => plugin),
    cpu("daemon", ({ daemon }) => daemon),
    cpu("controller", ({ controller }) => controller),
    {
      what: "CPU for 100 pods, come and gone: containerd's children, all CNI plugins among them",
      ...over(({ children }) => children, "with host-local", "s", perHundred),
    },
  ];
}
