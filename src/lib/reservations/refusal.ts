/** Why a request was not done. */

/** The gRPC status that the refusal answers with (https://grpc.io/docs/guides/status-codes/). */
export type RefusalStatus =
  /** The attachment already holds something else than what it asks for (R4). */
  | "AlreadyExists"
  /** The attachment holds an address that it may not keep (R4). */
  | "FailedPrecondition"
  /** The request itself cannot be done, now or later. */
  | "InvalidArgument"
  /** The attachment holds nothing in a pool. */
  | "NotFound"
  /** Every address that would do is taken. */
  | "ResourceExhausted";

/** A refused request. `message` names the pool and the address and says what to do. */
export interface Refusal {
  readonly status: RefusalStatus;
  readonly message: string;
}
