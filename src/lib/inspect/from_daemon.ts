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
/** gRPC: the daemon is of a version that does not have the method. */
const UNIMPLEMENTED = 12;

type Ask = (method: string, message: Uint8Array) => Promise<Result<Uint8Array | undefined, Absence>>;

/** Asks one daemon; undefined is the answer of one that does not know the method. */
function asking(target: string): Ask {
  return async (method, message) => {
    const answer = await call({ target, path: `${SERVICE}/${method}`, message, timeoutMs: TIMEOUT_MS });
    if (answer.ok) return answer;
    const { error } = answer;
    if (error.type === "status" && error.status === UNIMPLEMENTED && OPTIONAL.has(method)) return ok(undefined);
    return fail({ isAbsent: error.type === "connect", message: error.message });
  };
}

/** Methods that the first version did not have. */
const OPTIONAL: ReadonlySet<string> = new Set(["ListPods", "DescribeAddress"]);
const NOTHING = new Uint8Array();

/** Asks the daemon at the socket for all that it knows. */
export async function readFromDaemon(target: string): Promise<Result<NodeContent, Absence>> {
  const ask = asking(target);
  const answered = await ask("ListPools", ListPoolsRequest.encode({}).finish());
  if (!answered.ok) return answered;
  const { pools, nodeName: node, outdated } = ListPoolsResponse.decode(answered.value ?? NOTHING);
  const problems = new Set<string>();
  for (const poolKind of ["IPPool", "CIDRPool"]) {
    const status = await ask("GetStatus", GetStatusRequest.encode({ pools: [], poolKind }).finish());
    if (!status.ok) return status;
    for (const reason of GetStatusResponse.decode(status.value ?? NOTHING).reasons) problems.add(reason);
  }
  const reservations = await readReservations(ask, node);
  if (!reservations.ok) return reservations;
  const pods = await readPods(ask);
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

async function readReservations(ask: Ask, node: string): Promise<Result<readonly ReservationItem[], Absence>> {
  const reservations: ReservationItem[] = [];
  let pageToken = "";
  do {
    const request = { pageSize: 0, pageToken, containerId: "", ifname: "" };
    const page = await ask("ListReservations", ListReservationsRequest.encode(request).finish());
    if (!page.ok) return page;
    const answer = ListReservationsResponse.decode(page.value ?? NOTHING);
    for (const view of answer.reservations) reservations.push(reservationItem(view, node));
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
  return ok(reservations);
}

async function readPods(ask: Ask): Promise<Result<readonly PodView[] | undefined, Absence>> {
  const pods: PodView[] = [];
  let pageToken = "";
  do {
    const page = await ask("ListPods", ListPodsRequest.encode({ pageSize: 0, pageToken }).finish());
    if (!page.ok) return page;
    const answer = ListPodsResponse.decode(page.value ?? NOTHING);
    if (!answer.known) return ok(undefined);
    pods.push(...answer.pods);
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
  return ok(pods);
}

/** Asks the daemon what an address is in its pools; undefined where it is of a version that cannot tell. */
export async function describeAtDaemon(
  target: string,
  address: string,
): Promise<Result<readonly AddressView[] | undefined, Absence>> {
  const answer = await asking(target)("DescribeAddress", DescribeAddressRequest.encode({ address }).finish());
  if (!answer.ok) return answer;
  return ok(answer.value && DescribeAddressResponse.decode(answer.value).pools);
}
