/** Daemons with no, some and many reservations that run beside each other, so that they can be measured in turns. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { EXECUTABLE } from "../plugin.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";
import { allocate, type Caller, callUntilServed, connectCallers, deallocate, makeCalls } from "./_calls.ts";
import { copyOf } from "./_executables.ts";

/** Numbers of reservations that are measured. */
export const SIZES = [0, 10_000, 60_000] as const;

/** Name of the pool that every daemon has; its block holds 131,072 addresses. */
export const POOL = "bench";

const CALLERS = 32;

/** A daemon and how many reservations it holds between measurements. */
export class Member {
  readonly daemon: StandaloneDaemon;
  readonly size: number;
  #callers: readonly Caller[] = [];

  private constructor(daemon: StandaloneDaemon, size: number) {
    this.daemon = daemon;
    this.size = size;
  }

  /** Starts a daemon of that executable, without reservations yet. */
  static async start(size: number, program: string): Promise<Member> {
    const pool = ipPool(POOL, { subnet: "10.0.0.0/8", perNodeBlockSize: 131_072, gateway: "10.0.0.1" });
    // $1 is the executable that the daemon would be started with.
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
    const enter = ["bash", "--norc", "-c", 'exec "$0" "${@:2}"', program];
    const member = new Member(new StandaloneDaemon({ manifests: { "pool.json": pool }, enter }), size);
    await member.daemon.start();
    await callUntilServed(await member.caller(), allocate(POOL, "first"));
    await (await member.caller()).call(deallocate(POOL, "first"));
    return member;
  }

  /** Makes its reservations. */
  async fill(): Promise<void> {
    const calls = Array.from({ length: this.size }, (_, index) => allocate(POOL, `${index}`));
    await makeCalls(await this.callers(), calls);
  }

  /** As many callers as are measured at once, each with a connection. */
  async callers(): Promise<readonly Caller[]> {
    if (this.#callers.length === 0) this.#callers = await connectCallers(this.daemon.socket, CALLERS);
    return this.#callers;
  }

  /** One of them. */
  async caller(): Promise<Caller> {
    const [first] = await this.callers();
    if (first === undefined) throw new Error("there are no callers");
    return first;
  }

  /** Closes the connections; the next measurement opens new ones. */
  disconnect(): void {
    for (const caller of this.#callers) caller.close();
    this.#callers = [];
  }

  async remove(): Promise<void> {
    this.disconnect();
    await this.daemon.remove();
  }
}

/** One daemon a size, each with its reservations. */
export class Fleet {
  readonly members: readonly Member[];
  readonly #directory: string;

  private constructor(members: readonly Member[], directory: string) {
    this.members = members;
    this.#directory = directory;
  }

  static async start(): Promise<Fleet> {
    const directory = mkdtempSync(join(tmpdir(), "nv-ipam-fleet-"));
    const program = copyOf(EXECUTABLE, directory);
    const members: Member[] = [];
    const fleet = new Fleet(members, directory);
    try {
      for (const size of SIZES) members.push(await Member.start(size, program));
      for (const member of members) await member.fill();
      return fleet;
    } catch (error) {
      await fleet.remove();
      throw error;
    }
  }

  /** Ends the daemons and removes what they wrote. */
  async remove(): Promise<void> {
    for (const member of this.members) await member.remove();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
