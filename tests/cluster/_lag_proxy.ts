/** An HTTP proxy in front of an API server that lets single requests, or lines of a watch, arrive late. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";

/** Where requests go, and the certificate authority of that server. */
export interface Behind {
  readonly url: string;
  readonly ca: string;
}

export class LagProxy {
  /** Requests that are held: they arrive when they are let go, whether or not somebody still waits for the answer. */
  holds: (method: string, path: string) => boolean = () => false;
  /** Watches whose lines are held. */
  freezes: (path: string) => boolean = () => false;
  /** Statuses of the answers to requests that were held. */
  readonly answered: number[] = [];
  readonly #behind: Behind;
  readonly #server: Server;
  #held: (() => void)[] = [];
  #lines: { readonly text: string; readonly to: ServerResponse }[] = [];

  private constructor(behind: Behind) {
    this.#behind = behind;
    this.#server = createServer((asked, answer) => void this.#serve(asked, answer));
  }

  static async start(behind: Behind): Promise<LagProxy> {
    const proxy = new LagProxy(behind);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Requests that wait here. */
  get held(): number {
    return this.#held.length;
  }

  /** Whether a line that has come and is held says this. */
  hasLine(words: RegExp): boolean {
    return this.#lines.some(({ text }) => words.test(text));
  }

  letGo(): void {
    for (const go of this.#held.splice(0)) go();
  }

  /** Lets the lines go that came first, up to the first one that says this. */
  passUntil(words: RegExp): void {
    const count = this.#lines.findIndex(({ text }) => words.test(text)) + 1;
    for (const { text, to } of this.#lines.splice(0, count)) to.write(`${text}\n`);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of asked) parts.push(part);
    const { method = "GET", url = "", headers } = asked;
    const isHeld = this.holds(method, url);
    if (isHeld) await new Promise<void>((resolve) => this.#held.push(resolve));
    const sent = request(`${this.#behind.url}${url}`, { method, headers, ca: this.#behind.ca }, (from) => {
      if (isHeld) this.answered.push(from.statusCode ?? 0);
      answer.writeHead(from.statusCode ?? 502, from.headers);
      answer.flushHeaders();
      if (url.includes("watch=true")) this.#forwardLines(url, from, answer);
      else from.pipe(answer);
    });
    sent.on("error", () => answer.destroy());
    answer.on("close", () => {
      if (url.includes("watch=true")) sent.destroy();
    });
    sent.end(Buffer.concat(parts));
  }

  #forwardLines(url: string, from: IncomingMessage, answer: ServerResponse): void {
    let rest = "";
    from.setEncoding("utf8").on("data", (chunk: string) => {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const text of lines) {
        if (this.freezes(url)) this.#lines.push({ text, to: answer });
        else answer.write(`${text}\n`);
      }
    });
    from.on("end", () => answer.end()).on("error", () => answer.destroy());
  }
}
