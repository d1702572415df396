/** Reads what a running daemon serves and holds. */
import { fail, ok, type Result } from "../result.ts";
import { call } from "../rpc/client/call.ts";
import {
  type AddressView,
  DescribeAddressRequest,
  DescribeAddressResponse,
  GetStatusRequest,
  GetStatusResponse,
  ListPodsRequest,
  ListPodsResponse,
  ListPoolsRequest,
  ListPoolsResponse,
  ListReservationsRequest,
  ListReservationsResponse,
  type PodView,
} from "../rpc/generated/daemon.ts";
import type { Absence, NodeContent } from "./content.ts";
import { poolItem, type ReservationItem, reservationItem } from "./report.ts";

const SERVICE = "/nvipam.daemon.v1.DaemonService";
const TIMEOUT_MS = 10_000;
/** gRPC: there is no such method. */
const UNIMPLEMENTED = 12;

interface Decoder<T> {
  decode(bytes: Uint8Array): T;
}

/** One daemon that is asked. */
class Daemon {
  readonly #target: string;

  constructor(target: string) {
    this.#target = target;
  }

  /** Asks for what every version of ours can tell. */
  async ask<T>(method: string, message: Uint8Array, answer: Decoder<T>): Promise<Result<T, Absence>> {
    const told = await this.askIfKnown(method, message, answer);
    if (!told.ok) return told;
    if (told.value !== undefined) return ok(told.value);
    const who = `what listens at ${this.#target} is no daemon of this program (perhaps it is the original's)`;
    return fail({ isAbsent: false, message: `${who}: give --store-file or --kubeconfig to read elsewhere` });
  }

  /** @returns undefined where the daemon is of a version that does not have the method. */
  async askIfKnown<T>(
    method: string,
    message: Uint8Array,
    answer: Decoder<T>,
  ): Promise<Result<T | undefined, Absence>> {
    const target = this.#target;
    const told = await call({ target, path: `${SERVICE}/${method}`, message, timeoutMs: TIMEOUT_MS });
    if (!told.ok) {
      const { type, status, message: words } = told.error;
      if (type === "status" && status === UNIMPLEMENTED) return ok(undefined);
      return fail({ isAbsent: type === "connect", message: words.includes(target) ? words : `${target}: ${words}` });
    }
    try {
      return ok(answer.decode(told.value));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      return fail({ isAbsent: false, message: `${target}: the answer to ${method} cannot be read: ${why}` });
    }
  }
}

/** Asks the daemon at the socket for all that it knows. */
export async function readFromDaemon(target: string): Promise<Result<NodeContent, Absence>> {
  const daemon = new Daemon(target);
  const answered = await daemon.ask("ListPools", ListPoolsRequest.encode({}).finish(), ListPoolsResponse);
  if (!answered.ok) return answered;
  const { pools, nodeName: node, outdated } = answered.value;
  const problems = new Set<string>();
  for (const poolKind of ["IPPool", "CIDRPool"]) {
    const request = GetStatusRequest.encode({ pools: [], poolKind }).finish();
    const status = await daemon.ask("GetStatus", request, GetStatusResponse);
    if (!status.ok) return status;
    for (const reason of status.value.reasons) problems.add(reason);
  }
  const reservations = await readReservations(daemon, node);
  if (!reservations.ok) return reservations;
  const pods = await readPods(daemon);
  if (!pods.ok) return pods;
  return ok({
    type: "node",
    source: { type: "daemon", place: target, node },
    notes: [],
    pools: pools.map(poolItem),
    isRunning: true,
    reservations: reservations.value,
    pods: pods.value,
    problems: [...problems],
    outdated,
  });
}

async function readReservations(daemon: Daemon, node: string): Promise<Result<readonly ReservationItem[], Absence>> {
  const reservations: ReservationItem[] = [];
  let pageToken = "";
  do {
    const request = ListReservationsRequest.encode({ pageSize: 0, pageToken, containerId: "", ifname: "" }).finish();
    const page = await daemon.ask("ListReservations", request, ListReservationsResponse);
    if (!page.ok) return page;
    for (const view of page.value.reservations) reservations.push(reservationItem(view, node));
    pageToken = page.value.nextPageToken;
  } while (pageToken !== "");
  return ok(reservations);
}

async function readPods(daemon: Daemon): Promise<Result<readonly PodView[] | undefined, Absence>> {
  const pods: PodView[] = [];
  let pageToken = "";
  do {
    const request = ListPodsRequest.encode({ pageSize: 0, pageToken }).finish();
    const page = await daemon.askIfKnown("ListPods", request, ListPodsResponse);
    if (!page.ok) return page;
    if (page.value?.known !== true) return ok(undefined);
    pods.push(...page.value.pods);
    pageToken = page.value.nextPageToken;
  } while (pageToken !== "");
  return ok(pods);
}

/** Asks the daemon what an address is in its pools; undefined where it is of a version that cannot tell. */
export async function describeAtDaemon(
  target: string,
  address: string,
): Promise<Result<readonly AddressView[] | undefined, Absence>> {
  const request = DescribeAddressRequest.encode({ address }).finish();
  const answer = await new Daemon(target).askIfKnown("DescribeAddress", request, DescribeAddressResponse);
  return answer.ok ? ok(answer.value?.pools) : answer;
}
