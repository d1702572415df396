/** nvipam.daemon.v1.DaemonService: CNI GC and STATUS, and the read-only views of `nv-ipam inspect`. */
import type { PoolKind } from "../../api/types.ts";
import { parseInteger } from "../../flags/scalars.ts";
import { type Address, formatAddress, parseAddress } from "../../ip/address.ts";
import type { Reservation } from "../../reservations/reservation.ts";
import { fail, ok, type Result } from "../../result.ts";
import type {
  AddressView,
  CollectGarbageRequest,
  CollectGarbageResponse,
  DescribeAddressRequest,
  DescribeAddressResponse,
  GetStatusRequest,
  GetStatusResponse,
  ListPodsRequest,
  ListPodsResponse,
  ListPoolsResponse,
  ListReservationsRequest,
  ListReservationsResponse,
  PodView,
  PoolView,
  ReservationView,
} from "../generated/daemon.ts";
import type { DurableLedger } from "./ipam.ts";
import type { Refusal } from "./unary.ts";

/** What the service asks of the daemon around it. */
export interface DaemonState {
  readonly nodeName: string;
  /** What keeps ADD with pools of this kind, and with these ones, from being served, one sentence each. */
  notReady(kind: PoolKind, pools: readonly string[]): readonly string[];
  /** The pools as this node serves them. */
  poolViews(): readonly PoolView[];
  /** Why they may not be the pools that are written now, a sentence each. */
  outdated(): readonly string[];
  /** The unfinished pods on this node; undefined where they are not known. */
  podViews(): readonly PodView[] | undefined;
  /** What the address is in each pool whose network has it. */
  addressViews(address: Address): readonly AddressView[];
}

/** Reservations, or pods, in one answer at most, whatever was asked for. */
const MAX_PAGE = 1000;

/** Pools that one STATUS asks about. */
const MAX_STATUS_POOLS = 16;

/** A directory may have as many mistakes as lines: these are enough to begin with. */
const MAX_OUTDATED = 16;

/** The service's methods. */
export class DaemonService {
  readonly #store: DurableLedger;
  readonly #daemon: DaemonState;

  constructor(store: DurableLedger, daemon: DaemonState) {
    this.#store = store;
    this.#daemon = daemon;
  }

  /** CNI GC. */
  async collectGarbage(request: CollectGarbageRequest): Promise<Result<CollectGarbageResponse, Refusal>> {
    if (request.network === "") return fail({ status: "InvalidArgument", message: "network is required" });
    const valid = request.validAttachments.map(({ containerId, ifname }) => ({ containerID: containerId, ifname }));
    const released = this.#store.ledger.collectGarbage({ network: request.network, valid });
    const committed = await this.#store.commit();
    if (!committed.ok) return fail({ status: "Unavailable", message: committed.error.message });
    return ok({ released });
  }

  /** CNI STATUS. */
  async getStatus(request: GetStatusRequest): Promise<Result<GetStatusResponse, Refusal>> {
    const kind = request.poolKind === "CIDRPool" ? "CIDRPool" : "IPPool";
    // A network names two pools at most; what a caller makes up must not make the answer large.
    const reasons = this.#daemon.notReady(kind, request.pools.slice(0, MAX_STATUS_POOLS));
    return ok({ ready: reasons.length === 0, reasons: [...reasons], serving: true });
  }

  /** The pools as this node serves them. */
  async listPools(): Promise<Result<ListPoolsResponse, Refusal>> {
    const { nodeName } = this.#daemon;
    const outdated = this.#daemon.outdated().slice(0, MAX_OUTDATED);
    return ok({ pools: [...this.#daemon.poolViews()], nodeName, outdated });
  }

  /** One page of the reservations. */
  async listReservations(request: ListReservationsRequest): Promise<Result<ListReservationsResponse, Refusal>> {
    const asked = readPage(request);
    if (!asked.ok) return asked;
    const page = this.#store.ledger.list({
      ...asked.value,
      containerID: request.containerId === "" ? undefined : request.containerId,
      ifname: request.ifname === "" ? undefined : request.ifname,
    });
    return ok({ reservations: page.reservations.map(reservationView), nextPageToken: String(page.next ?? "") });
  }

  /** One page of the pods. */
  async listPods(request: ListPodsRequest): Promise<Result<ListPodsResponse, Refusal>> {
    const asked = readPage(request);
    if (!asked.ok) return asked;
    const { from, limit } = asked.value;
    const pods = this.#daemon.podViews();
    const next = from + limit < (pods?.length ?? 0) ? String(from + limit) : "";
    return ok({ pods: pods?.slice(from, from + limit) ?? [], nextPageToken: next, known: pods !== undefined });
  }

  /** What an address is in the pools. */
  async describeAddress(request: DescribeAddressRequest): Promise<Result<DescribeAddressResponse, Refusal>> {
    const address = parseAddress(request.address);
    if (address === undefined) return fail({ status: "InvalidArgument", message: "address is no IP address" });
    return ok({ pools: [...this.#daemon.addressViews(address)] });
  }
}

/** Which part of a list is asked for. */
function readPage(request: {
  readonly pageSize: number;
  readonly pageToken: string;
}): Result<{ from: number; limit: number }, Refusal> {
  const limit = request.pageSize > 0 ? Math.min(request.pageSize, MAX_PAGE) : MAX_PAGE;
  const from = request.pageToken === "" ? 0 : parseInteger(request.pageToken);
  if (from === undefined || from < 0)
    return fail({ status: "InvalidArgument", message: "page_token is not one of ours" });
  return ok({ from, limit });
}

/** A reservation as inspect shows it. */
export function reservationView(reservation: Reservation): ReservationView {
  const { pool, owner } = reservation;
  const pod = owner.type === "pod" ? owner : { namespace: "", name: "", uid: "" };
  return {
    poolKind: pool.kind,
    pool: pool.name,
    poolUid: pool.uid,
    addresses: reservation.addresses.map(formatAddress),
    containerId: reservation.containerID,
    ifname: reservation.ifname,
    podNamespace: pod.namespace,
    podName: pod.name,
    podUid: pod.uid,
    network: reservation.network,
    deviceId: reservation.deviceID,
    how: reservation.how,
    createdAt: reservation.createdAt,
  };
}
