/** Daemons that reserve and release on a simulated disk until they end, and what must be true of the next one. */

import type { Address } from "../../src/lib/ip/address.ts";
import type { StoreSizes } from "../../src/lib/journal/context.ts";
import { parseLegacy } from "../../src/lib/journal/legacy.ts";
import { fromLegacy } from "../../src/lib/journal/legacy_content.ts";
import { openStore, type Store, type StoreProblem } from "../../src/lib/journal/store.ts";
import type { Log } from "../../src/lib/observe/log.ts";
import type { Ledger } from "../../src/lib/reservations/ledger.ts";
import { type NodePool, poolOnNode } from "../../src/lib/reservations/pool.ts";
import type { LedgerSnapshot, Reservation } from "../../src/lib/reservations/reservation.ts";
import type { Random } from "../random.ts";
import { type Asked, type Fault, SimDisk, type SimOptions } from "./sim_disk.ts";
import { SimStorage } from "./sim_storage.ts";

/** Where the daemons keep their store: the directory is made by the first of them. */
export const STORE_FILE = "/var/nv-ipam/store";

/** Journals for about seven reservations, and a snapshot after every other one. */
export const SMALL_SIZES: StoreSizes = { journal: 2000, reserve: 500, snapshotAfter: 3000 };

/** A log that nobody reads. */
export const SILENT: Log = {
  info: () => undefined,
  warning: () => undefined,
  error: () => undefined,
  enabled: () => false,
  named: () => SILENT,
};

const NODE = "node-1";

/** Ten IPv4 and six IPv6 addresses. */
export const POOLS: readonly [NodePool, NodePool] = [
  pool("pool4", "10.1.0.0/16", "10.1.0.1", "10.1.0.10", 10),
  pool("pool6", "fd00:1::/64", "fd00:1::1", "fd00:1::6", 6),
];

function pool(name: string, subnet: string, startIP: string, endIP: string, perNodeBlockSize: number): NodePool {
  const made = poolOnNode(
    {
      apiVersion: "nv-ipam.nvidia.com/v1alpha1",
      kind: "IPPool",
      metadata: { name, uid: `uid of ${name}` },
      spec: { subnet, perNodeBlockSize },
      status: { allocations: [{ nodeName: NODE, startIP, endIP }] },
    },
    NODE,
  );
  if (made.state !== "ready") throw new Error(`${name} is ${made.state}`);
  return made.pool;
}

/** Lets work that nobody waits for come to its end. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await new Promise(setImmediate);
}

/** Reserves for a container from one pool or both. Returns whether there were addresses left. */
export function add(ledger: Ledger, container: string, pools: readonly NodePool[], network = "net-a"): boolean {
  const owner = { type: "pod", namespace: "default", name: `pod of ${container}`, uid: `uid@${container}` } as const;
  const attachment = { containerID: container, ifname: "net1" };
  const requested: Address[] = [];
  const choice = { type: "next" } as const;
  const rest = { network, deviceID: "", requested, choice, allowStaticInOtherBlocks: false, now: 1_700_000_000_000 };
  return ledger.allocate({ pools, attachment, owner, ...rest }).ok;
}

/** Releases what the container holds. Returns how many reservations that were. */
export function del(ledger: Ledger, container: string): number {
  const attachment = { containerID: container, ifname: "net1" };
  const names = POOLS.map(({ id }) => ({ kind: id.kind, name: id.name }));
  return ledger.deallocate({ pools: names, attachment, network: "" });
}

/** The content as a text that is equal when the content is. */
export function textOf({ reservations, pools }: LedgerSnapshot): string {
  return [...reservations.map(writeReservation).sort(), ...pools.map(write).sort()].join("\n");
}

const written = new WeakMap<Reservation, string>();

/** Reservations never change: each is written once. */
function writeReservation(reservation: Reservation): string {
  const text = written.get(reservation) ?? write(reservation);
  written.set(reservation, text);
  return text;
}

function write(value: unknown): string {
  return JSON.stringify(value, (_, item) => {
    if (typeof item === "bigint") return item.toString(16);
    const isObject = typeof item === "object" && item !== null && !Array.isArray(item);
    return isObject ? Object.fromEntries(Object.entries(item).sort(([x], [y]) => (x < y ? -1 : 1))) : item;
  });
}

/** What is known of the state that the next daemon must find. */
export class Knowledge {
  /** The state that was acknowledged last. */
  #acknowledged: string;
  /** States after it that nobody was told of yet, in order. */
  #pending: { readonly state: string }[] = [];
  /** States that somebody was told are not, before anybody was told of another one. */
  #refused: string[] = [];

  constructor(state: string) {
    this.#acknowledged = state;
  }

  /** The state before a caller changes it, while nothing is under way, is the one acknowledged last. */
  expectBefore(state: string): void {
    if (this.#pending.length === 0 && state !== this.#acknowledged)
      throw new Violation("what failed was not taken back");
  }

  /** A caller changed the state and waits. */
  begin(state: string): { acknowledge(): void; refuse(): void } {
    const one = { state };
    this.#pending.push(one);
    return {
      acknowledge: () => {
        const index = this.#pending.indexOf(one);
        if (index < 0) return;
        this.#acknowledged = state;
        this.#pending.splice(0, index + 1);
        this.#refused = [];
      },
      refuse: () => {
        this.#pending = this.#pending.filter((other) => other !== one);
        this.#refused.push(state);
      },
    };
  }

  /** R3: what the next daemon finds has all that was acknowledged and nothing that was not asked for. */
  expectAfter(state: string): void {
    if (!this.possible().includes(state)) {
      const [expected] = this.possible();
      throw new Violation(`an acknowledged change is lost or came back; acknowledged:\n${expected}\nfound:\n${state}`);
    }
  }

  /** All states that may be found, the acknowledged one first. */
  possible(): string[] {
    return [this.#acknowledged, ...this.#pending.map(({ state }) => state), ...this.#refused];
  }
}

/** A broken promise of the store, as opposed to an error of the test. */
export class Violation extends Error {}

/** R1: no address is held twice. */
export function expectNoDoubles({ reservations }: LedgerSnapshot): void {
  const taken = new Set<string>();
  for (const reservation of reservations) {
    for (const address of reservation.addresses) {
      const key = `${reservation.pool.name} ${address.family} ${address.value}`;
      if (taken.has(key)) throw new Violation(`${key} is held twice`);
      taken.add(key);
    }
  }
}

/** The original would not start from the file, or would start from a state that may be. */
export function expectSafeForOriginal(storage: SimStorage, possible: readonly string[]): void {
  const content = storage.content(STORE_FILE);
  if (content === undefined || content.length === 0) {
    if (!possible.some((text) => readText(text).reservations.length === 0))
      throw new Violation("the original would start from nothing");
    return;
  }
  const parsed = parseLegacy(content.toString());
  if (!parsed.ok) return;
  const legacy = fromLegacy(parsed.value.store);
  if (!legacy.ok) throw new Violation(`we wrote a file that cannot be read: ${legacy.error.message}`);
  const addresses = ({ reservations }: LedgerSnapshot): string[] =>
    reservations.map((r) => `${r.pool.name} ${r.containerID} ${r.addresses.map(({ value }) => value)}`);
  const found = new Set(addresses(legacy.value));
  // What was released after it is no harm: the original looks for such pods itself.
  const isSafe = possible.some((text) => addresses(readText(text)).every((line) => found.has(line)));
  if (!isSafe) throw new Violation(`the original would start from an outdated file: ${[...found].join(", ")}`);
}

function readText(text: string): LedgerSnapshot {
  const lines = text === "" ? [] : text.split("\n").map((line) => JSON.parse(line));
  const reservations = lines.filter((line) => "addresses" in line);
  for (const reservation of reservations) {
    for (const address of reservation.addresses) address.value = BigInt(`0x${address.value}`);
  }
  return { reservations, pools: [] };
}

/** How a daemon's life goes. */
export interface Life {
  readonly clients: number;
  /** What each client does before it stops. */
  readonly operations: number;
  readonly faults: readonly Fault[];
  /** How it ends when no fault ends it. */
  readonly end: "power" | "kill" | "close";
}

/** Opens the store and compares it with what is known; undefined when the process ended meanwhile. */
export async function openAndCompare(
  disk: SimDisk,
  knowledge: Knowledge,
  mayFail: boolean,
): Promise<Store<Ledger> | StoreProblem | undefined> {
  const messages: string[] = [];
  const log = { ...SILENT, warning: (message: string) => messages.push(message) };
  const opened = await Promise.race([openStore({ storeFile: STORE_FILE, log, disk, sizes: SMALL_SIZES }), disk.died]);
  if (typeof opened === "string") return undefined;
  if (!opened.ok) {
    if (!mayFail) throw new Violation(`the store does not open: ${opened.error.message}`);
    return opened.error;
  }
  const store = opened.value;
  const content = store.ledger.snapshot();
  expectNoDoubles(content);
  knowledge.expectAfter(textOf(content));
  if (store.state() === "damaged") throw new Violation(`no damage was done, but: ${messages.join("; ")}`);
  return store;
}

/** What came of one daemon's life. */
export interface Outcome {
  /** What the next daemon must find. */
  readonly knowledge: Knowledge;
  readonly ending: "power" | "kill";
  readonly acknowledged: number;
  /** How many things it asked of the disk. */
  readonly asked: number;
}

/** Lets one daemon live on the storage. */
export async function live(storage: SimStorage, before: Knowledge, life: Life, options: SimOptions): Promise<Outcome> {
  const disk = new SimDisk(storage, { ...options, faults: life.faults });
  const canFail = life.faults.some(({ type }) => type === "error");
  const store = await openAndCompare(disk, before, canFail);
  if (store === undefined || "code" in store) {
    disk.end("kill");
    expectSafeForOriginal(storage, before.possible());
    return { knowledge: before, ending: await disk.died, acknowledged: 0, asked: disk.asked };
  }
  const knowledge = new Knowledge(textOf(store.ledger.snapshot()));
  let acknowledged = 0;
  const client = async (name: string): Promise<void> => {
    for (let operation = 0; operation < life.operations; operation++) {
      const problem = await operate(store, knowledge, options.random, name);
      if (problem === undefined) acknowledged++;
      else if (!canFail) throw new Violation(`a commit failed: ${problem.message}`);
    }
  };
  const clients = Promise.all(Array.from({ length: life.clients }, (_, index) => client(`c${index}-`)));
  const end = async (): Promise<void> => {
    await clients;
    if (life.end !== "close") return disk.end(life.end);
    const closed = await store.close();
    if (!closed.ok && !canFail) throw new Violation(`the store does not close: ${closed.error.message}`);
    disk.end("kill");
  };
  await Promise.race([end(), disk.died]);
  expectSafeForOriginal(storage, knowledge.possible());
  return { knowledge, ending: await disk.died, acknowledged, asked: disk.asked };
}

/** One call of a client: reserve, release or only look. As runtimes do, it sends a DEL for an ADD that failed. */
async function operate(
  store: Store<Ledger>,
  knowledge: Knowledge,
  random: Random,
  client: string,
): Promise<StoreProblem | undefined> {
  const { ledger } = store;
  const container = `${client}${random.below(3)}`;
  knowledge.expectBefore(textOf(ledger.snapshot()));
  const holds = ledger.list({ limit: 1, containerID: container }).reservations.length > 0;
  let adds = false;
  if (random.below(5) > 0) {
    if (holds) del(ledger, container);
    else if (store.admitsReservations().ok) adds = add(ledger, container, random.pick([[POOLS[0]], [POOLS[1]], POOLS]));
  }
  const problem = await outcomeOf(store, knowledge);
  if (problem === undefined || !adds) return problem;
  del(ledger, container);
  await outcomeOf(store, knowledge);
  return problem;
}

/** Waits for what a caller changed. */
async function outcomeOf(store: Store<Ledger>, knowledge: Knowledge): Promise<StoreProblem | undefined> {
  const one = knowledge.begin(textOf(store.ledger.snapshot()));
  const committed = await store.commit();
  if (committed.ok) {
    one.acknowledge();
    return undefined;
  }
  one.refuse();
  return committed.error;
}

/** A few daemons' lives one after the other on one storage, with faults of all kinds. Throws Violation. */
export async function tellStory(random: Random, options: Omit<SimOptions, "random"> = {}) {
  const storage = new SimStorage();
  const sums = { lives: 0, powerFailures: 0, acknowledged: 0 };
  let knowledge = new Knowledge("");
  const lives =
    random.below(3) === 0 ? inheritance(random) : Array.from({ length: 2 + random.below(3) }, () => randomLife(random));
  lives.push(QUIET_LIFE);
  for (const life of lives) {
    const outcome = await live(storage, knowledge, life, { ...options, random });
    knowledge = outcome.knowledge;
    sums.lives++;
    sums.acknowledged += outcome.acknowledged;
    if (outcome.ending === "power") sums.powerFailures++;
  }
  return sums;
}

/** Only sees what the one before left. */
const QUIET_LIFE: Life = { clients: 0, operations: 0, faults: [], end: "kill" };

/** A process is killed where something waits to be synced; the next one builds on what it sees, and loses power. */
function inheritance(random: Random): Life[] {
  const of: Asked = random.pick<"sync" | "syncDirectory">(["sync", "syncDirectory"]);
  const faults: Fault[] = [{ at: 1 + random.below(8), of, type: "kill", when: "before" }];
  return [
    { clients: 1, operations: random.below(8), faults: [], end: "close" },
    { clients: 1, operations: 12, faults, end: "kill" },
    { clients: 1, operations: random.below(3), faults: [], end: "power" },
  ];
}

function randomLife(random: Random): Life {
  const faults: Fault[] = [];
  const at = 1 + random.below(150);
  const when = random.pick<"before" | "after">(["before", "after"]);
  const kind = random.below(8);
  if (kind < 3) {
    // Where something waits to be synced, most can be lost, by this process or the next one.
    const of: Asked = random.pick<"sync" | "syncDirectory">(["sync", "syncDirectory"]);
    faults.push({ at: 1 + random.below(6), of, type: random.pick<"power" | "kill">(["power", "kill"]), when });
  } else if (kind < 6) {
    faults.push({ at, type: random.pick<"power" | "kill">(["power", "power", "kill"]), when });
  }
  if (random.below(4) === 0) {
    // A disk that fails may fail at what was to make that good, too.
    const code = random.pick<"EIO" | "ENOSPC">(["EIO", "ENOSPC"]);
    const first = 1 + random.below(at);
    for (let more = random.below(3); more >= 0; more--) faults.push({ at: first + more, type: "error", code });
  }
  return {
    clients: random.below(4),
    operations: 2 + random.below(8),
    faults,
    end: random.pick(["power", "power", "kill", "close"]),
  };
}
