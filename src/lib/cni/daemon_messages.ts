/** The messages that CHECK, GC and STATUS need of the daemon's service: the plugin carries no others. */
export {
  CollectGarbageRequest,
  CollectGarbageResponse,
  GetStatusRequest,
  GetStatusResponse,
  ListReservationsRequest,
  ListReservationsResponse,
} from "../rpc/generated/daemon.ts";
