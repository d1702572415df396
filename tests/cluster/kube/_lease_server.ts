/** The part of an API server that a leader election needs: one Lease, with versions, conflicts and a watch. */
import type { ServerResponse } from "node:http";
import type { Lease } from "../../../src/lib/kube/lease.ts";
import { type Asked, type Fault, json, status } from "../_fault_server.ts";

export class LeaseServer {
  lease: Lease | undefined;
  /** Writes that were taken, as "holder transitions". */
  readonly writes: string[] = [];
  /** Answers instead, as long as it is set. */
  fault: ((asked: Asked) => Fault | undefined) | undefined;
  #version = 0;
  readonly #watches = new Set<ServerResponse>();

  /** Give it to a fault server as `otherwise`. */
  readonly serve: Fault = (answer, asked) => {
    const fault = this.fault?.(asked) ?? this.#answer(asked);
    fault(answer, asked);
  };

  /** Writes the lease as somebody else would. */
  write(spec: Lease["spec"]): void {
    this.#store({ metadata: { name: "leader", namespace: "ns" }, ...(spec === undefined ? {} : { spec }) });
  }

  /** Deletes the lease; watches are not told. */
  remove(): void {
    this.lease = undefined;
  }

  #answer({ method, url, body }: Asked): Fault {
    if (method === "GET" && url.searchParams.has("watch")) return (answer) => this.#watch(answer);
    const known = this.lease;
    if (method === "POST") {
      return known === undefined ? this.#take(body) : status(409, "AlreadyExists");
    }
    if (known === undefined) return status(404, "NotFound");
    if (method === "GET") return json(known);
    const { metadata } = JSON.parse(body) as Lease;
    return metadata.resourceVersion === known.metadata.resourceVersion ? this.#take(body) : status(409, "Conflict");
  }

  #take(body: string): Fault {
    const lease = JSON.parse(body) as Lease;
    this.#store(lease);
    const { holderIdentity, leaseTransitions } = lease.spec ?? {};
    this.writes.push(`${holderIdentity} ${leaseTransitions}`);
    return json(this.lease);
  }

  #store(lease: Lease): void {
    const metadata = { ...lease.metadata, resourceVersion: `${++this.#version}` };
    const type = this.lease === undefined ? "ADDED" : "MODIFIED";
    this.lease = { ...lease, metadata };
    for (const answer of this.#watches) answer.write(`${JSON.stringify({ type, object: this.lease })}\n`);
  }

  #watch(answer: ServerResponse): void {
    this.#watches.add(answer);
    answer.on("close", () => this.#watches.delete(answer));
    answer.writeHead(200, { "content-type": "application/json" });
    if (this.lease !== undefined) answer.write(`${JSON.stringify({ type: "ADDED", object: this.lease })}\n`);
    const annotations = { "k8s.io/initial-events-end": "true" };
    const bookmark = { metadata: { resourceVersion: `${this.#version}`, annotations } };
    answer.write(`${JSON.stringify({ type: "BOOKMARK", object: bookmark })}\n`);
  }
}
