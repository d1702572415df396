/**
 * The addresses in use on a node. A synchronous state machine without effects: whatever it changes it also says as steps
 * (Change), which the journal writes and can take back.
 */
import type { Address } from "../ip/address.ts";
import { fail, ok, type Result } from "../result.ts";
import { poolText } from "./_choose.ts";
import { attachmentText, type Decision, decide, type Holding, holdingIn, isHeld } from "./_decide.ts";
import type { Page } from "./_records.ts";
import { restoring } from "./_restore.ts";
import { type Conflict, State } from "./_state.ts";
import { attachmentKey, attachmentOf, type Entry, identityOf, mayBeOf, toEntry } from "./entry.ts";
import { changesOf, toImage, toSnapshot } from "./image.ts";
import type { NodePool } from "./pool.ts";
import type { Refusal } from "./refusal.ts";
import type {
  AllocateRequest,
  CollectGarbageRequest,
  DeallocateRequest,
  IsAllocatedRequest,
  ListRequest,
} from "./requests.ts";
import type { Change, LedgerImage, LedgerSnapshot, PoolID, Reservation } from "./reservation.ts";

export type { Choice } from "./_choose.ts";
export type { Page } from "./_records.ts";
export type { Conflict, PoolName } from "./_state.ts";
export type { AllocateRequest, DeallocateRequest } from "./requests.ts";

/** One address of the answer to an ADD. */
export interface Allocation {
  readonly pool: NodePool;
  readonly address: Address;
  /** Whether the pool's gateway and routes belong into the answer: not where the address is given as the gateway's own. */
  readonly withGateway: boolean;
  readonly reservation: Reservation;
  /** The same for the same reservation only. */
  readonly identity: string;
  /** Whether this request made the reservation: then it is released when the answer cannot be given (R3). */
  readonly isNew: boolean;
}

/** How much of a pool is in use on this node. */
export interface Usage {
  /** Addresses that are reserved, in the block or elsewhere. */
  readonly held: number;
  /** Usable addresses of the block that are not reserved. */
  readonly free: bigint;
  /** The address given last in turn. */
  readonly cursor: Address | undefined;
}

/** All reservations of a node, and how far round-robin has come in each pool. */
export class Ledger {
  readonly #state = new State();
  #changes: Change[] = [];
  /** While a rebuild goes on: the attachments that DEL and GC ended since it began. */
  #deleted: Set<string> | undefined;

  /** A ledger with a store's content, and what the store has in conflict. */
  static load(snapshot: LedgerSnapshot): { readonly ledger: Ledger; readonly conflicts: readonly Conflict[] } {
    const ledger = new Ledger();
    ledger.apply(changesOf(toImage(snapshot)));
    return { ledger, conflicts: ledger.conflicts() };
  }

  /**
   * ADD (R4): the addresses that the attachment holds in the pools, or a new one from each of them; all or nothing.
   *
   * Refusals: AlreadyExists, FailedPrecondition, InvalidArgument, ResourceExhausted.
   */
  allocate(request: AllocateRequest): Result<readonly Allocation[], Refusal> {
    const decided = decide(request, this.#state);
    if (!decided.ok) return decided;
    return ok(decided.value.flatMap((decision) => this.#carryOut(decision, request)));
  }

  /** CHECK: whether the attachment holds an address of every named pool. Refusal: NotFound, for the first that it does not. */
  isAllocated({ pools, attachment, owner }: IsAllocatedRequest): Result<void, Refusal> {
    const holdings: Holding[] = [];
    for (const pool of pools) {
      const holding = holdingIn(this.#state.records, pool, attachment, owner);
      if (!isHeld(holding)) {
        return fail({
          status: "NotFound",
          message: `${attachmentText(attachment)} holds no address of ${poolText(pool)}; delete the interface (CNI DEL) and add it again`,
        });
      }
      holdings.push(holding);
    }
    for (const reservation of holdings.flatMap(({ adoptable }) => adoptable)) {
      this.#adopt(reservation, { ...reservation, ...attachment, owner });
    }
    return ok(undefined);
  }

  /**
   * DEL (R4): frees what the attachment holds in the named pools; where that is nothing at all, what it holds under the
   * same network's name, for the network's pools may have changed since. What was rebuilt for its pod without a container id
   * stays: the pod may live on in another container. Returns the number of reservations freed.
   */
  deallocate({ pools, attachment, network }: DeallocateRequest): number {
    this.#deleted?.add(attachmentText(attachment));
    const held = this.#state.records.ofAttachment(attachment);
    const named = held.filter(({ pool }) => pools.some(({ kind, name }) => kind === pool.kind && name === pool.name));
    if (named.length > 0 || network === "") return this.release(named);
    return this.release(held.filter((reservation) => reservation.network === network));
  }

  /**
   * CNI GC: frees what was made under the network's name for attachments that are not valid any more. Reservations without a
   * network name or without a container id are left alone. Looks at every reservation. Returns the number freed.
   */
  collectGarbage({ network, valid }: CollectGarbageRequest): number {
    if (network === "") return 0;
    const alive = new Set(Array.from(valid, attachmentKey));
    const suspects = this.#state.records.where((entry) => mayBeOf(entry, network) && !alive.has(attachmentOf(entry)));
    const dead = suspects.filter((each) => each.network === network && each.containerID !== "");
    for (const each of dead) this.#deleted?.add(attachmentText(each));
    return this.release(dead);
  }

  /** A rebuild begins: until it ends, DEL and GC also keep what they free from being restored (R3). */
  beginRebuild(): void {
    this.#deleted ??= new Set();
  }

  /** The rebuild is over. */
  endRebuild(): void {
    this.#deleted = undefined;
  }

  /**
   * Notes an address that a rebuild found in use, unless its holder is known to hold it already or was deleted meanwhile. An
   * address that others claim as well is noted all the same (see conflicts). Returns whether anything changed.
   */
  restore(found: Reservation): boolean {
    if (this.#deleted?.has(attachmentText(found))) return false;
    const { isKnown, replaces } = restoring(this.#state.records, found);
    if (isKnown) return false;
    if (replaces !== undefined) this.#release(replaces);
    this.#reserve(toEntry(found));
    return true;
  }

  /** Frees these reservations, so far as they still stand as they are given. Returns the number freed. */
  release(reservations: Iterable<Reservation>): number {
    let released = 0;
    for (const reservation of reservations) if (this.#release(reservation)) released++;
    return released;
  }

  /** One page of the reservations. */
  list({ from = 0, limit, containerID, ifname }: ListRequest): Page {
    const { records } = this.#state;
    const passes = (reservation: Reservation): boolean => ifname === undefined || reservation.ifname === ifname;
    if (containerID === undefined) return records.page(from, limit, passes);
    return { reservations: records.ofContainer(containerID).filter(passes), next: undefined };
  }

  /** Number of reservations. */
  get size(): number {
    return this.#state.records.size;
  }

  /** How many addresses are reserved in the pool, whether it has a block now or not. */
  held(pool: PoolID): number {
    return this.#state.occupancyOf(pool).size;
  }

  /** How much of the pool is in use. */
  usage(pool: NodePool): Usage {
    const occupancy = this.#state.occupancyOf(pool.id);
    const taken = occupancy.countTaken(pool.network.family, pool.usable);
    return { held: occupancy.size, free: pool.usableCount - BigInt(taken), cursor: occupancy.cursor };
  }

  /** The addresses that more than one reservation claims. Costs nothing while there are none. */
  conflicts(): readonly Conflict[] {
    return this.#state.conflicts();
  }

  /** The steps since the last call: what the transaction of the request consists of. */
  takeChanges(): readonly Change[] {
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Does the steps of a journal, in order, without recording them again. Two claims of one address are kept (see conflicts). */
  apply(changes: Iterable<Change>): void {
    for (const change of changes) this.#state.redo(change);
  }

  /** Takes steps back, the last one first, without recording that. All steps that came after them must be taken back before. */
  undo(changes: readonly Change[]): void {
    for (const change of changes.toReversed()) this.#state.takeBack(change);
  }

  /** The whole content, as the store keeps it. What is in it never changes. */
  image(): LedgerImage {
    return this.#state.image();
  }

  /** The whole content, for whoever looks into it. */
  snapshot(): LedgerSnapshot {
    return toSnapshot(this.image());
  }

  #carryOut(decision: Decision, request: AllocateRequest): Allocation[] {
    const { pool } = decision;
    const isNew = decision.type === "reserve";
    const reservation = isNew
      ? this.#take(decision, request)
      : decision.type === "adopt"
        ? this.#adopt(decision.reservation, adoptedBy(decision.reservation, request))
        : decision.reservation;
    const entry = toEntry(reservation);
    if (isNew) this.#reserve(entry);
    const withGateway = request.choice.type !== "gateway" && reservation.how !== "gateway";
    const identity = identityOf(entry);
    return reservation.addresses.map((address) => ({ pool, address, withGateway, reservation, identity, isNew }));
  }

  /** The pool's part of a new reservation, and whose address it was. */
  #take(decision: Extract<Decision, { type: "reserve" }>, request: AllocateRequest): Reservation {
    const { pool, address, how, takenFrom } = decision;
    const { attachment, owner, network, deviceID, now } = request;
    const { cursor, config } = this.#state.occupancyOf(pool.id);
    if (takenFrom !== undefined) this.#release(takenFrom);
    if (config !== pool.config)
      this.#do({ type: "config", pool: pool.id, config: pool.config, ...(config !== undefined && { before: config }) });
    if (how === "dynamic")
      this.#do({ type: "cursor", pool: pool.id, address, ...(cursor !== undefined && { before: cursor }) });
    return {
      containerID: attachment.containerID,
      ifname: attachment.ifname,
      pool: pool.id,
      addresses: [address],
      owner,
      network,
      deviceID,
      how,
      createdAt: new Date(now).toISOString(),
    };
  }

  #adopt(rebuilt: Reservation, adopted: Reservation): Reservation {
    if (this.#release(rebuilt)) this.#reserve(toEntry(adopted));
    return adopted;
  }

  #reserve(entry: Entry): void {
    this.#do({ type: "reserve", place: this.#state.records.vacancy(), entry });
  }

  /** Returns whether it was there. */
  #release(reservation: Reservation): boolean {
    const before = toEntry(reservation);
    const place = this.#state.records.placeOf(before);
    if (place === undefined) return false;
    this.#do({ type: "release", place, before });
    return true;
  }

  /** Does a step and records it. */
  #do(change: Change): void {
    this.#state.redo(change);
    this.#changes.push(change);
  }
}

function adoptedBy(rebuilt: Reservation, { attachment, owner, network, deviceID }: AllocateRequest): Reservation {
  return { ...rebuilt, ...attachment, owner, network, deviceID };
}
