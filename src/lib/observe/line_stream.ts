import type { Writable } from "node:stream";

/** Characters that may wait for a reader; what comes then is lost, and counted. */
const MAX_WAITING = 1 << 20;

/**
 * Lines on their way to a stream that somebody else reads, or has stopped reading: writing never waits and never throws, and
 * takes no more memory than a limit. Lines may be gathered before they are written.
 */
export class LineStream {
  readonly #stream: Writable;
  readonly #notice: (lost: number) => string;
  readonly #bufferSize: number;
  #gathered: string[] = [];
  #gatheredSize = 0;
  #lost = 0;

  /**
   * @param notice the line that says how many lines were lost, written when there is room again
   * @param bufferSize characters that are gathered until `flush`; 0: none
   */
  constructor(stream: Writable, notice: (lost: number) => string, bufferSize = 0) {
    this.#stream = stream;
    this.#notice = notice;
    this.#bufferSize = bufferSize;
    // A reader that has gone does not end the process.
    stream.on("error", () => undefined);
  }

  /** @param line without its end */
  write(line: string): void {
    const text = `${line}\n`;
    if (this.#gatheredSize + text.length > this.#bufferSize) this.flush();
    if (text.length > this.#bufferSize) {
      this.#send(text, 1);
      return;
    }
    this.#gathered.push(text);
    this.#gatheredSize += text.length;
  }

  /** Writes what was gathered. */
  flush(): void {
    if (this.#gathered.length === 0) return;
    const gathered = this.#gathered;
    this.#gathered = [];
    this.#gatheredSize = 0;
    this.#send(gathered.join(""), gathered.length);
  }

  /** Writes what was gathered and waits until all is written or can never be. @returns false when the time was too short. */
  async end(limitMs: number): Promise<boolean> {
    this.flush();
    if (this.#stream.writableLength === 0) return true;
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), limitMs);
      this.#stream.write("", () => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #send(text: string, lines: number): void {
    if (this.#stream.writableLength > MAX_WAITING) {
      this.#lost += lines;
      return;
    }
    if (this.#lost > 0) this.#stream.write(`${this.#notice(this.#lost)}\n`);
    this.#lost = 0;
    this.#stream.write(text);
  }
}
