/** Reads and makes documents, as often as they are asked for. */

import { BUILD } from "../../version.ts";
import { formatAddress } from "../ip/address.ts";
import type { KubeClient } from "../kube/client.ts";
import { fail, ok, type Result } from "../result.ts";
import { addressReport } from "./address.ts";
import { check } from "./check.ts";
import type { Absence, ClusterContent, NodeContent } from "./content.ts";
import { describeAtDaemon, readFromDaemon } from "./from_daemon.ts";
import { readFromStore } from "./from_store.ts";
import { nodeReport } from "./node.ts";
import type { Origin } from "./origin.ts";
import { podOnNode } from "./pod.ts";
import { poolList } from "./pools.ts";
import type { Report } from "./report.ts";
import { reservationList } from "./reservations.ts";
import { storeReport } from "./store.ts";
import type { Subject } from "./subject.ts";

/** What reading depends on. */
export interface ReaderOptions {
  readonly subject: Subject;
  /** In the order in which they are tried. */
  readonly origins: readonly Origin[];
  /** Where a cluster's pools are; "": wherever they are. */
  readonly poolNamespace: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly now: () => Date;
}

/** One command's reader; call `close` at the end. */
export class Reader {
  readonly #options: ReaderOptions;
  #client: KubeClient | undefined;

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** Reads anew. @returns why nothing can be told, a sentence. */
  async read(): Promise<Result<Report, string>> {
    const reasons: string[] = [];
    for (const origin of this.#options.origins) {
      const report = await this.#readFrom(origin, reasons);
      if (report.ok) return report;
      reasons.push(report.error.message);
      if (!report.error.isAbsent) break;
    }
    return fail(reasons.join("; "));
  }

  /** Lets its connections go. */
  async close(): Promise<void> {
    await this.#client?.close();
  }

  async #readFrom(origin: Origin, before: readonly string[]): Promise<Result<Report, Absence>> {
    switch (origin.type) {
      case "daemon": {
        const content = await readFromDaemon(origin.target);
        return content.ok ? present(await this.#ofNode(content.value, origin.target)) : content;
      }
      case "store": {
        if (this.#options.subject.type === "store") return present(await storeReport(origin.storeFile));
        const content = await readFromStore(origin.storeFile);
        if (!content.ok) return content;
        if (before.length === 0) return present(await this.#ofNode(content.value));
        const notes = [`no daemon answers; this is what ${origin.storeFile} holds`, ...content.value.notes];
        const problems = [...before.map((why) => `no daemon answers: ${why}`), ...content.value.problems];
        return present(await this.#ofNode({ ...content.value, notes, problems }));
      }
      case "cluster":
        return this.#readCluster(origin);
    }
  }

  async #ofNode(content: NodeContent, target?: string): Promise<Result<Report, string>> {
    const { subject, now } = this.#options;
    switch (subject.type) {
      case "pod":
        return podOnNode(content, subject.namespace || "default", subject.name);
      case "ip": {
        const { address } = subject;
        const views = target === undefined ? ok(undefined) : await describeAtDaemon(target, formatAddress(address));
        if (!views.ok) return fail(views.error.message);
        const notes =
          views.value === undefined ? [...content.notes, "which addresses are excluded is not known"] : content.notes;
        return ok(addressReport({ ...content, notes }, address, views.value));
      }
      default:
        return this.#ofEither(content, subject, now());
    }
  }

  async #ofEither(
    content: NodeContent | ClusterContent,
    subject: Exclude<Subject, { type: "pod" | "ip" }>,
    now: Date,
  ): Promise<Result<Report, string>> {
    switch (subject.type) {
      case "pools":
        return ok(poolList(content));
      case "reservations":
        return ok(reservationList(content));
      case "node":
        return nodeReport(content, subject.name, now);
      case "check":
        return ok(check(content, now));
      case "migration":
      case "store":
        return fail(`${subject.type} cannot be read from ${content.source.place}`);
    }
  }

  async #readCluster({ kubeconfig, context }: Origin & { type: "cluster" }): Promise<Result<Report, Absence>> {
    // It takes long to load, and a node's daemon needs none of it.
    const { connect } = await import("../kube/connect.ts");
    if (this.#client === undefined) {
      const { env } = this.#options;
      const connected = connect({ path: kubeconfig, context, env }, `nv-ipam-inspect/${BUILD.version}`);
      if (!connected.ok) return fail({ isAbsent: false, message: connected.error.message });
      this.#client = connected.value;
    }
    return present(await this.#ofCluster(this.#client));
  }

  async #ofCluster(client: KubeClient): Promise<Result<Report, string>> {
    const { subject, poolNamespace: namespace, now } = this.#options;
    const cluster = await import("./from_cluster.ts");
    if (subject.type === "pod") {
      const [{ readPod }, { podInCluster }] = [await import("./from_pod.ts"), await import("./pod.ts")];
      const pod = await readPod(client, subject.namespace || client.namespace, subject.name);
      if (!pod.ok) return pod;
      const around = await cluster.readCluster(client, { namespace, pods: { node: pod.value.pod.node } });
      return around.ok ? ok(podInCluster(around.value, pod.value)) : around;
    }
    const pods = subject.type === "node" ? { node: subject.name } : "all";
    const content = await cluster.readCluster(client, { namespace, pods });
    if (!content.ok) return content;
    if (subject.type === "ip") return ok(addressReport(content.value, subject.address));
    if (subject.type !== "migration") return this.#ofEither(content.value, subject, now());
    const { migration, readServerVersion } = await import("./migration.ts");
    const version = await client.raw("/version");
    return ok(migration(content.value, version.ok ? readServerVersion(version.value) : undefined, now()));
  }
}

/** What was found where there is something: the next place is not asked. */
function present(report: Result<Report, string>): Result<Report, Absence> {
  return report.ok ? report : fail({ isAbsent: false, message: report.error });
}
