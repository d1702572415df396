/** Reads what a running daemon serves and holds. */
import { fail, ok, type Result } from "../result.ts";
import { call } from "../rpc/client/call.ts";
import {
  GetStatusRequest,
  GetStatusResponse,
  ListPoolsRequest,
  ListPoolsResponse,
  ListReservationsRequest,
  ListReservationsResponse,
} from "../rpc/generated/daemon.ts";
import type { NodeContent } from "./check.ts";
import { poolItem, type ReservationItem, reservationItem } from "./report.ts";

const SERVICE = "/nvipam.daemon.v1.DaemonService";
const TIMEOUT_MS = 10_000;

/**
 * Asks the daemon at the socket.
 *
 * @returns the reason when it does not answer; `isDown` tells whether nobody listens there.
 */
export async function readFromDaemon(
  target: string,
): Promise<Result<NodeContent, { readonly isDown: boolean; readonly message: string }>> {
  const ask = async (method: string, message: Uint8Array) => {
    const answer = await call({ target, path: `${SERVICE}/${method}`, message, timeoutMs: TIMEOUT_MS });
    return answer.ok ? answer : fail({ isDown: answer.error.type === "connect", message: answer.error.message });
  };
  const pools = await ask("ListPools", ListPoolsRequest.encode({}).finish());
  if (!pools.ok) return pools;
  const problems = new Set<string>();
  for (const poolKind of ["IPPool", "CIDRPool"]) {
    const status = await ask("GetStatus", GetStatusRequest.encode({ pools: [], poolKind }).finish());
    if (!status.ok) return status;
    for (const reason of GetStatusResponse.decode(status.value).reasons) problems.add(reason);
  }
  const reservations: ReservationItem[] = [];
  let pageToken = "";
  do {
    const request = { pageSize: 0, pageToken, containerId: "", ifname: "" };
    const page = await ask("ListReservations", ListReservationsRequest.encode(request).finish());
    if (!page.ok) return page;
    const answer = ListReservationsResponse.decode(page.value);
    reservations.push(...answer.reservations.map(reservationItem));
    pageToken = answer.nextPageToken;
  } while (pageToken !== "");
  return ok({
    pools: ListPoolsResponse.decode(pools.value).pools.map(poolItem),
    isRunning: true,
    reservations,
    problems: [...problems],
  });
}
