/** Why the store cannot do something, as the room's callers see it. */

/**
 * - `locked`: another process holds the store.
 * - `version`: a file was written by a newer release; nothing was touched.
 * - `damaged`: acknowledged records cannot be read; ADD waits until the addresses in use are known again.
 * - `full`: there is no room to reserve further addresses; releasing still works while the reserve lasts.
 * - `failed`: a write or sync failed; nothing is acknowledged until a new generation of files could be written.
 * - `handover`: the original's store file could not be read, replaced or written.
 * - `io`: a file or directory could not be opened, read or made.
 * - `closed`: the store was closed.
 */
export type StoreProblemCode = "locked" | "version" | "damaged" | "full" | "failed" | "handover" | "io" | "closed";

/** One problem: `message` names the file and says what to do. */
export interface StoreProblem {
  readonly code: StoreProblemCode;
  readonly file: string;
  readonly message: string;
}

/** Carries a problem through code that throws: lowdb's adapter interface, and this room's inside. */
export class StoreFailure extends Error {
  override readonly name = "StoreFailure";
  readonly problem: StoreProblem;

  constructor(problem: StoreProblem, options?: ErrorOptions) {
    super(problem.message, options);
    this.problem = problem;
  }
}

/** The errno name of what a disk threw (`ENOSPC`, `EIO` …), or "". */
export function errno(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
}

/** Turns whatever a disk threw into a failure that names the file; a failure stays what it is. */
export function failure(code: StoreProblemCode, file: string, what: string, error: unknown): StoreFailure {
  if (error instanceof StoreFailure) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const full = errno(error) === "ENOSPC" || errno(error) === "EDQUOT";
  const message = full
    ? `${what}: no space left for ${file}: free some space on its disk`
    : `${what}: ${file}: ${reason}`;
  return new StoreFailure({ code: full ? "full" : code, file, message }, { cause: error });
}
