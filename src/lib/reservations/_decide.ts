/** What an ADD gets: what it holds already, or one new address from each pool, or a refusal with nothing changed (R4). */
import { type Address, contains, formatAddress, formatCidr, sameAddress } from "../ip/address.ts";
import { fail, ok, type Result } from "../result.ts";
import {
  addressWithIndex,
  blockText,
  type Chosen,
  type Circumstances,
  choose,
  chooseStatic,
  poolText,
} from "./_choose.ts";
import { podUID, type Records } from "./_records.ts";
import type { PoolName, State } from "./_state.ts";
import type { NodePool } from "./pool.ts";
import type { Refusal } from "./refusal.ts";
import type { AllocateRequest } from "./requests.ts";
import type { Attachment, Owner, Reservation } from "./reservation.ts";

/** What one pool does for the request. */
export type Decision =
  /** The attachment holds it already. */
  | { readonly type: "keep"; readonly pool: NodePool; readonly reservation: Reservation }
  /** It was rebuilt for the same pod's interface; the attachment takes it. */
  | { readonly type: "adopt"; readonly pool: NodePool; readonly reservation: Reservation }
  | ({ readonly type: "reserve"; readonly pool: NodePool } & Chosen);

/** What an attachment holds in a pool, or may adopt there. */
export interface Holding {
  /** Held under the attachment's own container id; more than one only in a damaged store. */
  readonly own: readonly Reservation[];
  /** Rebuilt for the same pod's interface, without a container id; empty where `own` is not. */
  readonly adoptable: readonly Reservation[];
}

/** What the attachment, of that pod, holds in the pools of that kind and name, whatever their uid. */
export function holdingIn(records: Records, pool: PoolName, attachment: Attachment, owner: Owner): Holding {
  const isOf = (reservation: Reservation): boolean =>
    reservation.pool.kind === pool.kind && reservation.pool.name === pool.name;
  const own = records.ofAttachment(attachment).filter(isOf);
  if (own.length > 0) return { own, adoptable: [] };
  return { own, adoptable: records.unadopted(podUID({ owner }), attachment.ifname).filter(isOf) };
}

/** Whether there is anything to hold or to adopt. */
export function isHeld({ own, adoptable }: Holding): boolean {
  return own.length + adoptable.length > 0;
}

/** Decides for all pools of the request together; nothing is changed. */
export function decide(request: AllocateRequest, state: State): Result<readonly Decision[], Refusal> {
  const { pools, attachment, owner, requested, choice } = request;
  const [first, second] = pools;
  if (first !== undefined && second !== undefined && sameName(first, second)) {
    return fail({
      status: "InvalidArgument",
      message: `${poolText(first.id)} is named twice; name it once, or two different pools`,
    });
  }
  if (choice.type !== "next" && requested.length > 0) {
    const feature = choice.type === "gateway" ? "allocateDefaultGateway" : "allocateIPWithIndex";
    return fail({
      status: "InvalidArgument",
      message: `${feature} cannot be used together with static addresses; ask for one of them`,
    });
  }
  const holdings = pools.map((pool) => ({ pool, ...holdingIn(state.records, pool.id, attachment, owner) }));
  const lacking = holdings.find((each) => !isHeld(each));
  const holding = holdings.find(isHeld);
  if (holding === undefined) return chooseAll(request, state);
  if (lacking === undefined) return keepAll(request, holdings);
  return fail({
    status: "AlreadyExists",
    message: `${attachmentText(attachment)} already holds an address of ${poolText(holding.pool.id)}, but none of ${poolText(lacking.pool.id)}; delete the interface (CNI DEL) before adding it with other pools`,
  });
}

/** The same answer as before, if it is what the request asks for and may be kept. */
function keepAll(
  request: AllocateRequest,
  holdings: readonly (Holding & { readonly pool: NodePool })[],
): Result<readonly Decision[], Refusal> {
  const held = holdings.flatMap(({ own, adoptable }) => [...own, ...adoptable].flatMap(({ addresses }) => addresses));
  for (const address of request.requested) {
    if (!held.some((each) => sameAddress(each, address)))
      return fail(holdsAnother(request, held, formatAddress(address)));
  }
  const decisions: Decision[] = [];
  for (const { pool, own, adoptable } of holdings) {
    for (const reservation of [...own, ...adoptable]) {
      const refusal = keepRefusal(request, pool, reservation);
      if (refusal !== undefined) return fail(refusal);
      decisions.push({ type: own.length > 0 ? "keep" : "adopt", pool, reservation });
    }
  }
  return ok(decisions);
}

function keepRefusal(request: AllocateRequest, pool: NodePool, reservation: Reservation): Refusal | undefined {
  const { attachment, requested, choice } = request;
  const { addresses, how } = reservation;
  if (choice.type !== "next") {
    const asked = choice.type === "gateway" ? pool.gateway : addressWithIndex(pool, choice.index);
    if (asked === undefined || !addresses.some((each) => sameAddress(each, asked))) {
      const text = choice.type === "gateway" ? `the gateway of ${poolText(pool.id)}` : `index ${choice.index}`;
      return holdsAnother(request, addresses, text);
    }
  }
  const byName = how === "static" || how === "gateway";
  const lost = addresses.find(
    (address) => !byName && !contains(pool.block, address) && !requested.some((each) => sameAddress(each, address)),
  );
  if (lost === undefined) return undefined;
  return {
    status: "FailedPrecondition",
    message: `${attachmentText(attachment)} holds ${formatAddress(lost)} of ${poolText(pool.id)}, which is not in this node's present block ${blockText(pool)}; delete the interface (CNI DEL) and add it again, or recreate the pod`,
  };
}

function chooseAll(request: AllocateRequest, state: State): Result<readonly Decision[], Refusal> {
  const { pools, attachment, owner, choice, allowStaticInOtherBlocks } = request;
  const byName = matchRequested(request);
  if (!byName.ok) return byName;
  // Nothing of it is the attachment's own or to be adopted in a pool of the request, or there would be nothing to choose.
  const abandoned = (): readonly Reservation[] => state.records.ofPod(podUID({ owner }), attachment.ifname);
  const decisions: Decision[] = [];
  let sibling: Circumstances["sibling"];
  for (const pool of pools) {
    const occupancy = state.occupancyOf(pool.id);
    const circumstances = { pool, occupancy, abandoned, allowStaticInOtherBlocks, sibling };
    const address = byName.value.get(pool);
    const chosen = address === undefined ? choose(choice, circumstances) : chooseStatic(address, circumstances);
    if (!chosen.ok) return chosen;
    decisions.push({ type: "reserve", pool, ...chosen.value });
    sibling = { pool: pool.id, address: chosen.value.address };
  }
  return ok(decisions);
}

/** Which pool gives which of the requested addresses. */
function matchRequested({ pools, requested }: AllocateRequest): Result<ReadonlyMap<NodePool, Address>, Refusal> {
  const matches = new Map<NodePool, Address>();
  const wanted = requested
    .filter((address, i) => requested.findIndex((each) => sameAddress(each, address)) === i)
    .map((address) => ({ address, candidates: pools.filter(({ network }) => contains(network, address)) }))
    // Networks may overlap: an address with one pool to go to comes before one with two. One with two goes to the first pool,
    // so that no pool gives in turn what a later one is asked for by name.
    .sort((a, b) => a.candidates.length - b.candidates.length);
  for (const { address, candidates } of wanted) {
    const [belongsTo] = candidates;
    if (belongsTo === undefined) {
      const networks = pools.map(({ id, network }) => `${poolText(id)} (${formatCidr(network)})`).join(", ");
      return fail({
        status: "InvalidArgument",
        message: `${formatAddress(address)} can be given on this node by none of the pools of the request: ${networks}; ask for an address of theirs, or name its pool`,
      });
    }
    const free = candidates.find((pool) => !matches.has(pool));
    if (free === undefined) {
      return fail({
        status: "InvalidArgument",
        message: `${poolText(belongsTo.id)} is asked for more than one address (${formatAddress(address)} beside others); ask for one address of each pool`,
      });
    }
    matches.set(free, address);
  }
  return ok(matches);
}

function holdsAnother({ attachment }: AllocateRequest, held: readonly Address[], asked: string): Refusal {
  return {
    status: "AlreadyExists",
    message: `${attachmentText(attachment)} already holds ${held.map(formatAddress).join(" and ")}, not ${asked}; delete the interface (CNI DEL) before adding it with another address`,
  };
}

function sameName(a: NodePool, b: NodePool): boolean {
  return a.id.kind === b.id.kind && a.id.name === b.id.name;
}

/** An attachment as messages name it. */
export function attachmentText({ containerID, ifname }: Attachment): string {
  return `interface "${ifname}" of container "${containerID}"`;
}
