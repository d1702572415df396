/** What the controller asks of the API server, one method a request. */
import type { NodeInfo } from "../api/selector.ts";
import type { AnyPoolStatus, PoolObject } from "../api/types.ts";
import type { KubeError } from "../kube/error.ts";
import type { Result } from "../result.ts";
import type { PodObject } from "./pod_use.ts";

/** Requests about nodes, pods and pools. None is tried again by itself. */
export interface PoolApi {
  /** The node as the API server has it now; undefined when there is none. */
  node(name: string, signal: AbortSignal): Promise<Result<NodeInfo | undefined, KubeError>>;
  /** All pods of a node. */
  podsOn(nodeName: string, signal: AbortSignal): Promise<Result<readonly PodObject[], KubeError>>;
  /**
   * Replaces the status of the pool, if it still has the resource version it was read with.
   *
   * @returns the code `conflict` when it was changed meanwhile, `notFound` when it is gone.
   */
  putStatus(pool: PoolObject, status: AnyPoolStatus, signal: AbortSignal): Promise<Result<StoredStatus, KubeError>>;
}

/** What became of a status that was written. */
export interface StoredStatus {
  readonly resourceVersion: string;
  /** Whether the CRD's schema cut members off that the planner puts into every status. */
  readonly isPruned: boolean;
}
