/** 32 callers at once: how much of what the server can answer at all is left when each answer has to be on the disk first. */
import { allocate, type Call, deallocate, doNothing, makeCalls } from "./_calls.ts";
import { type Member, POOL } from "./_fleet.ts";
import { cpuMilliseconds } from "./_process.ts";
import type { Row } from "./_report.ts";
import { median, pairedRatio } from "./_statistics.ts";

const ROUNDS = 10;
const WARM_UP_ROUNDS = 2;
/** Long enough that it does not matter how a slice begins and ends. */
const CALLS = 1920;
const BOUND = 0.7;

interface Slice {
  /** Calls a second. */
  readonly rate: number;
  /** CPU milliseconds of the daemon a call. */
  readonly cpu: number;
}

interface Slices {
  readonly nothing: Slice[];
  readonly allocate: Slice[];
}

/** Throughput of durable calls. */
export async function concurrent(fleet: readonly Member[]): Promise<Row[]> {
  const slices = new Map(fleet.map((member): [Member, Slices] => [member, { nothing: [], allocate: [] }]));
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const containers = Array.from({ length: CALLS }, (_, index) => `concurrent-${round}-${index}`);
    for (const [member, taken] of slices) {
      const nothing = await slice(member, containers.map(doNothing));
      const added = await slice(
        member,
        containers.map((container) => allocate(POOL, container)),
      );
      await slice(
        member,
        containers.map((container) => deallocate(POOL, container)),
      );
      if (round < 0) continue;
      taken.nothing.push(nothing);
      taken.allocate.push(added);
    }
  }
  return [...slices].flatMap(([{ size }, taken]) => rows(size, taken));
}

async function slice(member: Member, calls: readonly Call[]): Promise<Slice> {
  const connected = await member.callers();
  const before = cpuMilliseconds(member.daemon.pid);
  const time = await makeCalls(connected, calls);
  return { rate: (calls.length * 1000) / time, cpu: (cpuMilliseconds(member.daemon.pid) - before) / calls.length };
}

function rows(size: number, { nothing, allocate }: Slices): Row[] {
  const rates = (slices: readonly Slice[]): number[] => slices.map(({ rate }) => rate);
  const costs = (slices: readonly Slice[]): number[] => slices.map(({ cpu }) => cpu);
  const beside = (of: typeof rates) => ({
    what: "idle calls",
    value: median(of(nothing)),
    ratio: pairedRatio(of(allocate), of(nothing)),
  });
  return [
    {
      what: `ADD at ${size} reservations`,
      value: median(rates(allocate)),
      unit: "calls/s",
      beside: beside(rates),
      bound: { least: BOUND },
    },
    {
      what: `ADD at ${size} reservations, CPU of the daemon`,
      value: median(costs(allocate)),
      unit: "ms",
      beside: beside(costs),
    },
  ];
}
