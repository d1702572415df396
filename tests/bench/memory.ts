/**
 * Memory of the daemon without work, some seconds after a load of calls and after a start. Pages of the executable count as
 * resident too, and how many of them do depends on the kernel. So a daemon without anything of ours, of the same kind of file, is
 * measured beside it.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { copyOf, withExecutable } from "./_executables.ts";
import type { Member } from "./_fleet.ts";
import { type Resident, resident } from "./_process.ts";
import type { Row } from "./_report.ts";

/** V8 gives memory back 8 s after a collection that the work itself made necessary. */
const SETTLE_MILLISECONDS = 15_000;
/** Megabytes that a bare daemon had when the bounds below were set. */
const BARE = 81;
/** Number of reservations -> megabytes. */
const BOUNDS: ReadonlyMap<number, number> = new Map([
  [0, 100],
  [60_000, 150],
]);

/** Megabytes that are resident. */
export async function memory(fleet: readonly Member[]): Promise<Row[]> {
  const bare = await withExecutable("bare-daemon", bareDaemon);
  const what = "bare daemon (grpc-js, KubeConfig, prom-client)";
  const rows: Row[] = [
    { what, value: bare.all, unit: "MB" },
    { what: `${what}, without files`, value: bare.anonymous, unit: "MB" },
  ];
  for (const member of fleet) {
    const bound = BOUNDS.get(member.size);
    if (bound === undefined) continue;
    rows.push(...compared(`${member.size} reservations, after the calls so far`, await settled(member), bare, bound));
    member.disconnect();
    await member.daemon.end("SIGTERM");
    await member.daemon.start();
    rows.push(...compared(`${member.size} reservations, started again`, await settled(member), bare, bound));
  }
  return rows;
}

function compared(what: string, { all, anonymous }: Resident, bare: Resident, most: number): Row[] {
  const ratio = all / bare.all;
  const beside = { what: "bare daemon", value: bare.all, ratio: { low: ratio, median: ratio, high: ratio } };
  return [
    { what, value: all, unit: "MB", bound: { most } },
    { what, value: all, unit: "MB", beside, bound: { most: Number((most / BARE).toFixed(2)) } },
    { what: `${what}, without files`, value: anonymous, unit: "MB" },
  ];
}

async function settled({ daemon }: Member): Promise<Resident> {
  await delay(SETTLE_MILLISECONDS);
  return resident(daemon.pid);
}

async function bareDaemon(program: string): Promise<Resident> {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-bare-"));
  const child = spawn(copyOf(program, directory), [join(directory, "socket")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    await delay(SETTLE_MILLISECONDS);
    return resident(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}
