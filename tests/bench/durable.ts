/** One ADD after the other over the socket, each on the disk before its answer, whatever the number of reservations. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import { allocate, type Call, deallocate, doNothing } from "./_calls.ts";
import { type Member, POOL } from "./_fleet.ts";
import type { Row } from "./_report.ts";
import { median, mediansOf, pairedRatio, quantile } from "./_statistics.ts";

const ROUNDS = 800;
const ROUNDS_A_PAIR = 20;
const WARM_UP_ROUNDS = 100;
/** About what one ADD adds to a journal. */
const RECORD = Buffer.alloc(400, "x");
const EMPTY_STORE_BOUND = 1.2;
const BARE_BOUND = 2;

interface Times {
  readonly nothing: number[];
  readonly allocate: number[];
  readonly deallocate: number[];
}

/** Latencies of durable calls. */
export async function durable(fleet: readonly Member[]): Promise<Row[]> {
  const [first] = fleet;
  if (first === undefined) throw new Error("there are no daemons");
  const disk = new BareDisk(first.daemon.directory);
  const sync: number[] = [];
  const times = new Map(
    fleet.map((member): [Member, Times] => [member, { nothing: [], allocate: [], deallocate: [] }]),
  );
  for (let round = -WARM_UP_ROUNDS; round < ROUNDS; round++) {
    const syncTime = disk.sync();
    if (round >= 0) sync.push(syncTime);
    for (const [member, taken] of times) {
      const nothing = await timed(member, doNothing());
      const added = await timed(member, allocate(POOL, `durable-${round}`));
      const deleted = await timed(member, deallocate(POOL, `durable-${round}`));
      if (round < 0) continue;
      taken.nothing.push(nothing);
      taken.allocate.push(added);
      taken.deallocate.push(deleted);
    }
  }
  disk.close();
  return [{ what: "bare fdatasync", value: median(sync), unit: "ms" }, ...rows(times, sync)];
}

async function timed(member: Member, call: Call): Promise<number> {
  const caller = await member.caller();
  const started = performance.now();
  await caller.call(call);
  return performance.now() - started;
}

function rows(times: ReadonlyMap<Member, Times>, sync: readonly number[]): Row[] {
  const rows: Row[] = [];
  let empty: Times | undefined;
  for (const [{ size }, taken] of times) {
    const what = `ADD at ${size} reservations`;
    if (empty !== undefined) rows.push(compared(what, taken.allocate, "ADD at 0", empty.allocate, EMPTY_STORE_BOUND));
    empty ??= taken;
    const bare = taken.nothing.map((time, round) => time + (sync[round] ?? 0));
    rows.push(compared(what, taken.allocate, "idle call + fdatasync", bare, BARE_BOUND));
    rows.push({ what: `${what}, 99th percentile`, value: quantile(taken.allocate, 0.99), unit: "ms" });
    rows.push({ what: `DEL at ${size} reservations`, value: median(taken.deallocate), unit: "ms" });
  }
  return rows;
}

function compared(what: string, values: readonly number[], than: string, beside: readonly number[], most: number): Row {
  const ratio = pairedRatio(mediansOf(values, ROUNDS_A_PAIR), mediansOf(beside, ROUNDS_A_PAIR));
  return {
    what,
    value: median(values),
    unit: "ms",
    beside: { what: than, value: median(beside), ratio },
    bound: { most },
  };
}

/** A file on the stores' file system whose space is there already, so that a sync writes data only. */
class BareDisk {
  readonly #file: number;
  #position = 0;

  constructor(directory: string) {
    this.#file = openSync(join(directory, "bare"), "w");
    writeSync(this.#file, Buffer.alloc(RECORD.length * (ROUNDS + WARM_UP_ROUNDS)));
    fsyncSync(this.#file);
  }

  /** Milliseconds of one fdatasync after a write of one record. */
  sync(): number {
    this.#position += writeSync(this.#file, RECORD, 0, RECORD.length, this.#position);
    const started = performance.now();
    fdatasyncSync(this.#file);
    return performance.now() - started;
  }

  close(): void {
    closeSync(this.#file);
  }
}
