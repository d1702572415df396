/** What a leader election meets, for people: a trouble when it begins and when it is over, each once, not with every try. */
import type { Log } from "../observe/log.ts";
import type { KubeError } from "./error.ts";
import type { ElectionObserver } from "./leader_election.ts";

/** Follows one election. */
export class ElectionLog implements ElectionObserver {
  readonly #log: Log;
  #isTold = false;

  constructor(log: Log) {
    this.#log = log;
  }

  leader(identity: string): void {
    this.#log.info("The leader", { identity });
  }

  failed({ code, message }: KubeError): void {
    // Another was faster.
    const isUsual = code === "conflict" || code === "alreadyExists";
    const what = "The Lease could not be had";
    if (isUsual || this.#isTold) this.#log.info(what, { err: message }, 2);
    else this.#log.warning(what, { err: message });
    this.#isTold ||= !isUsual;
  }

  answered(): void {
    if (this.#isTold) this.#log.info("The Lease can be had again");
    this.#isTold = false;
  }
}
