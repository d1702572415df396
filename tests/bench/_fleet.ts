/** Daemons with no, some and many reservations that run beside each other, so that they can be measured in turns. */
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";
import { allocate, type Caller, callUntilServed, connectCallers, deallocate, makeCalls } from "./_calls.ts";

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

  static async start(size: number): Promise<Member> {
    const pool = ipPool(POOL, { subnet: "10.0.0.0/8", perNodeBlockSize: 131_072, gateway: "10.0.0.1" });
    const member = new Member(new StandaloneDaemon({ manifests: { "pool.json": pool } }), size);
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

/** Starts one daemon a size and makes its reservations. */
export async function startFleet(): Promise<readonly Member[]> {
  const members: Member[] = [];
  try {
    for (const size of SIZES) members.push(await Member.start(size));
    for (const member of members) await member.fill();
    return members;
  } catch (error) {
    await removeFleet(members);
    throw error;
  }
}

/** Ends the daemons and removes what they wrote. */
export async function removeFleet(members: readonly Member[]): Promise<void> {
  for (const member of members) await member.remove();
}
