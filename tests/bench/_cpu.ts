/**
 * CPU time of short processes. Node does not tell what its children used; bash does, to the millisecond, so a few calls are
 * timed together. Its own fork is in the time, for every program alike.
 */
import { execFile } from "node:child_process";

/** A program and how it is called. */
export interface Command {
  readonly program: string;
  readonly env: Readonly<Record<string, string>>;
  /** File that is its stdin. */
  readonly input: string;
}

/** Of one call, in milliseconds. */
export interface Cost {
  readonly cpu: number;
  readonly wall: number;
}

const SCRIPT = `
TIMEFORMAT='%U %S %R'
program=$1 input=$2
shift 2
time for id; do
  CNI_CONTAINERID=$id "$program" <"$input" || exit 1
done >/dev/null`;

/** Makes one call for each container and gives the mean cost. @throws when a call does not end with exit status 0. */
export function costOf({ program, env, input }: Command, containers: readonly string[]): Promise<Cost> {
  // bash takes a socket on stdin for a remote login and would read its start-up file.
  const args = ["--norc", "-c", SCRIPT, "bash", program, input, ...containers];
  return new Promise((resolve, reject) => {
    execFile("bash", args, { env: { PATH: process.env.PATH ?? "", LC_ALL: "C", ...env } }, (error, _stdout, stderr) => {
      const told = /^([\d.]+) ([\d.]+) ([\d.]+)\n$/.exec(stderr);
      if (told === null) return reject(new Error(`${program} failed: ${stderr}`, { cause: error }));
      const [user = 0, system = 0, real = 0] = told.slice(1).map((seconds) => Number(seconds) * 1000);
      resolve({ cpu: (user + system) / containers.length, wall: real / containers.length });
    });
  });
}
