/** What a reflector meets, for people: a trouble when it begins and when it is over, each once, not with every try. */
import type { Log } from "../observe/log.ts";
import type { KubeError } from "./error.ts";
import type { ReflectorObserver } from "./reflector.ts";

/** Follows the list and watch of one resource. */
export class WatchLog implements ReflectorObserver {
  readonly resource: string;
  readonly #log: Log;
  #failures = 0;
  #hasListed = false;
  #told = "";
  #trouble: string | undefined;

  constructor(resource: string, log: Log) {
    this.resource = resource;
    this.#log = log;
  }

  /** What the API server last said against it; undefined when all is well. */
  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** How often a list or watch failed and was begun anew. */
  get failures(): number {
    return this.#failures;
  }

  /** Whether what is known is followed now: false before the first list, and from a failure on until the server answers. */
  get isUp(): boolean {
    return this.#hasListed && this.#trouble === undefined;
  }

  listed(count: number): void {
    this.#hasListed = true;
    this.#log.info("Read what there is", { resource: this.resource, count }, 1);
  }

  failed(during: "list" | "watch", { code, message: told }: KubeError, waitMs: number): void {
    const { resource } = this;
    const message = code === "notFound" ? `${told} (the API server has no ${resource}: apply the CRD)` : told;
    this.#failures++;
    // The query of a watch has another number each time.
    const words = message.replaceAll(/\d+/g, "");
    const isNews = words !== this.#told && code !== "gone";
    if (isNews) {
      this.#told = words;
      this.#log.warning(`The API server does not let us ${during}; it is tried again`, { resource, err: message });
    } else this.#log.info("A watch is begun anew", { resource, err: message, waitMs }, 2);
    if (code !== "gone") this.#trouble = message;
  }

  recovered(): void {
    if (this.#trouble === undefined) return;
    this.#trouble = undefined;
    this.#told = "";
    this.#log.info("The API server lets us list and watch again", { resource: this.resource });
  }
}
