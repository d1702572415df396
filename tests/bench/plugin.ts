/** What a call of the plugin costs beyond an empty executable: CPU time, and memory that no other process shares. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { EXECUTABLE } from "../plugin.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";
import { type Command, type Cost, costOf } from "./_cpu.ts";
import { withExecutable } from "./_executables.ts";
import { privateMegabytesAtAnswer } from "./_held.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const ROUNDS = 25;
const CALLS_A_ROUND = 5;
const MEMORY_ROUNDS = 9;
const CPU_BOUNDS = { VERSION: 1.15, ADD: 1.4, CHECK: 1.4, DEL: 1.4 };
const MEMORY_BOUND = 1.3;
const HELD_CONTAINER = "held";

/** CPU and wall time, and private memory of one call. */
export async function plugin(): Promise<Row[]> {
  const spec = { subnet: "10.64.0.0/16", perNodeBlockSize: 4096, gateway: "10.64.0.1" };
  const daemon = new StandaloneDaemon({ manifests: { "pool.json": ipPool("bench", spec) } });
  try {
    await daemon.start();
    const calls = await prepare(daemon);
    const cpu = await withExecutable("empty", (empty) => cpuRows(calls, empty));
    const memory = await withExecutable("writing", (empty) => memoryRows(calls, empty));
    return [...cpu, ...memory];
  } finally {
    await daemon.remove();
  }
}

type CommandName = keyof typeof CPU_BOUNDS;
type Calls = Readonly<Record<CommandName, Command>>;

async function prepare(daemon: StandaloneDaemon): Promise<Calls> {
  const config = { cniVersion: "1.0.0", name: "bench", type: "macvlan" };
  const ipam = { type: "nv-ipam", poolName: "bench", confDir: daemon.conf };
  const held = await daemon.cni({ command: "ADD", container: HELD_CONTAINER, config: { ...config, ipam } });
  if (held.exit !== 0) throw new Error(`ADD failed: ${held.stdout} ${held.stderr}`);
  const file = (name: string, content: unknown): string => {
    const path = join(daemon.directory, name);
    writeFileSync(path, JSON.stringify(content));
    return path;
  };
  const plain = file("config.json", { ...config, ipam });
  const checked = file("check.json", { ...config, ipam, prevResult: JSON.parse(held.stdout) });
  const call = (command: CommandName, input: string) => ({
    // Not the installed copy: how a file was written decides how it lies in memory, and the empty one is written like this.
    program: EXECUTABLE,
    env: {
      CNI_COMMAND: command,
      CNI_IFNAME: "net1",
      CNI_NETNS: "/run/netns/there-is-none",
      CNI_PATH: daemon.bin,
      CNI_ARGS: "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=bench;K8S_POD_UID=5f1b54a4-3d0c-4d1e-9a5c-1",
    },
    input,
  });
  return {
    VERSION: call("VERSION", plain),
    ADD: call("ADD", plain),
    CHECK: call("CHECK", checked),
    DEL: call("DEL", plain),
  };
}

async function cpuRows(calls: Calls, empty: string): Promise<Row[]> {
  const costs: Record<"empty" | CommandName, Cost[]> = { empty: [], VERSION: [], ADD: [], CHECK: [], DEL: [] };
  const held = Array<string>(CALLS_A_ROUND).fill(HELD_CONTAINER);
  for (let round = 0; round < ROUNDS; round++) {
    const containers = held.map((_, index) => `c${round}-${index}`);
    costs.empty.push(await costOf({ ...calls.ADD, program: empty }, containers));
    costs.VERSION.push(await costOf(calls.VERSION, containers));
    costs.ADD.push(await costOf(calls.ADD, containers));
    costs.CHECK.push(await costOf(calls.CHECK, held));
    costs.DEL.push(await costOf(calls.DEL, containers));
  }
  const cpu = (of: readonly Cost[]): number[] => of.map((cost) => cost.cpu);
  const names: readonly CommandName[] = ["VERSION", "ADD", "CHECK", "DEL"];
  const rows = names.map((name): Row => {
    const ratio = pairedRatio(cpu(costs[name]), cpu(costs.empty));
    const beside = { what: "empty executable", value: median(cpu(costs.empty)), ratio };
    return {
      what: `${name}, CPU`,
      value: median(cpu(costs[name])),
      unit: "ms",
      beside,
      bound: { most: CPU_BOUNDS[name] },
    };
  });
  const wall = (of: readonly Cost[]): number[] => of.map((cost) => cost.wall);
  const ratio = pairedRatio(wall(costs.ADD), wall(costs.empty));
  const beside = { what: "empty executable", value: median(wall(costs.empty)), ratio };
  return [...rows, { what: "ADD, wall time", value: median(wall(costs.ADD)), unit: "ms", beside }];
}

async function memoryRows(calls: Calls, empty: string): Promise<Row[]> {
  const measured: Record<"empty" | "VERSION" | "ADD", number[]> = { empty: [], VERSION: [], ADD: [] };
  const of = ({ env, input }: Command, container: string, program: string) =>
    privateMegabytesAtAnswer(program, { ...env, CNI_CONTAINERID: container }, input);
  for (let round = 0; round < MEMORY_ROUNDS; round++) {
    measured.empty.push(await of(calls.ADD, "none", empty));
    measured.VERSION.push(await of(calls.VERSION, "none", calls.VERSION.program));
    measured.ADD.push(await of(calls.ADD, `m${round}`, calls.ADD.program));
  }
  return (["VERSION", "ADD"] as const).map((name): Row => {
    const ratio = pairedRatio(measured[name], measured.empty);
    const beside = { what: "empty executable", value: median(measured.empty), ratio };
    return {
      what: `${name}, private memory`,
      value: median(measured[name]),
      unit: "MB",
      beside,
      bound: { most: MEMORY_BOUND },
    };
  });
}
