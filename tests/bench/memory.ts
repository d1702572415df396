/** Resident memory of the daemon: idle, after a load of calls, and started again with what it then holds. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withExecutable } from "./_executables.ts";
import type { Member } from "./_fleet.ts";
import { residentMegabytes } from "./_process.ts";
import type { Row } from "./_report.ts";
import { median } from "./_statistics.ts";

const SAMPLES = 5;
const SETTLE_MILLISECONDS = 2000;
const IDLE_BOUND = 100;
const FULL_BOUND = 150;

/** Megabytes that are resident. */
export async function memory(fleet: readonly Member[]): Promise<Row[]> {
  const bare = await withExecutable("bare-daemon", bareDaemon);
  const rows: Row[] = [{ what: "a daemon of grpc-js, KubeConfig and prom-client only", value: bare, unit: "MB" }];
  for (const member of fleet) {
    const bound = { most: member.size === 0 ? IDLE_BOUND : FULL_BOUND };
    const what = `${member.size} reservations`;
    rows.push({ what: `${what}, after the calls so far`, value: await settled(member.daemon.pid), unit: "MB", bound });
    member.disconnect();
    await member.daemon.end("SIGTERM");
    await member.daemon.start();
    rows.push({ what: `${what}, started again`, value: await settled(member.daemon.pid), unit: "MB", bound });
  }
  return rows;
}

async function settled(pid: number): Promise<number> {
  const samples: number[] = [];
  while (samples.length < SAMPLES) {
    await delay(SETTLE_MILLISECONDS / SAMPLES);
    samples.push(residentMegabytes(pid));
  }
  return median(samples);
}

async function bareDaemon(program: string): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "nv-ipam-bare-"));
  const child = spawn(program, [join(directory, "socket")], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
    return await settled(child.pid ?? 0);
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
  }
}
