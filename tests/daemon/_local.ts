/** A daemon in the test's own process, over a directory of its own; its pools are what the test puts into the table. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { API_VERSION, type Pool } from "../../src/lib/api/types.ts";
import { DAEMON_FLAGS } from "../../src/lib/daemon/flags.ts";
import { type DaemonObserver, type OpenDaemon, openDaemon } from "../../src/lib/daemon/open.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { parseFlags } from "../../src/lib/flags/flags.ts";
import { createLog, type Log } from "../../src/lib/observe/log.ts";
import { DaemonClient } from "../daemon_client.ts";

/** A log into a list of lines. */
export function listLog(lines: string[], verbosity = 0): Log {
  return createLog({ format: "text", verbosity, write: (line) => lines.push(line), now: Date.now, pid: process.pid });
}

/** An IPPool with a gateway at .1 whose blocks of four addresses the nodes have in this order. */
export function smallPool(name: string, network: string, nodes: readonly string[]): Pool {
  const allocations = nodes.map((nodeName, index) => ({
    nodeName,
    startIP: `${network}.${4 * index + 1}`,
    endIP: `${network}.${4 * index + 4}`,
  }));
  return {
    apiVersion: API_VERSION,
    kind: "IPPool",
    metadata: { name, uid: `uid-of-${name}` },
    spec: { subnet: `${network}.0/24`, perNodeBlockSize: 4, gateway: `${network}.1` },
    status: { allocations },
  };
}

/** What differs from a daemon that is started without flags. */
export interface LocalOptions {
  readonly flags?: readonly string[];
  readonly podOptional?: boolean;
  /** Whether the pools of both kinds are known at once: there are none, then. */
  readonly poolsKnown?: boolean;
  readonly observer?: DaemonObserver;
}

export class LocalDaemon {
  readonly directory = mkdtempSync(join(tmpdir(), "nv-ipam-daemon-"));
  readonly socket = join(this.directory, "run", "daemon.sock");
  readonly store = join(this.directory, "state", "store");
  readonly pools = new PoolTable("node-1");
  readonly log: string[] = [];
  readonly #options: LocalOptions;
  #daemon: OpenDaemon | undefined;
  #client: DaemonClient | undefined;

  constructor(options: LocalOptions = {}) {
    this.#options = options;
    if (options.poolsKnown === false) return;
    this.pools.replace("IPPool", []);
    this.pools.replace("CIDRPool", []);
  }

  /** What it keeps its reservations in. @throws while it is not open. */
  get openStore(): OpenDaemon["store"] {
    if (this.#daemon === undefined) throw new Error("the daemon is not open");
    return this.#daemon.store;
  }

  get client(): DaemonClient {
    if (this.#client === undefined) throw new Error("the daemon is not open");
    return this.#client;
  }

  /** @returns why it cannot be opened, or undefined. */
  async tryOpen(flags: readonly string[] = []): Promise<string | undefined> {
    const all = [
      "--node-name=node-1",
      `--store-file=${this.store}`,
      `--bind-address=unix://${this.socket}`,
      ...(this.#options.flags ?? []),
      ...flags,
    ];
    const parsed = parseFlags({ name: "daemon", summary: "", flags: DAEMON_FLAGS }, all);
    if (!parsed.ok || parsed.value.type !== "run") throw new Error(parsed.ok ? parsed.value.type : parsed.error);
    const opened = await openDaemon({
      values: parsed.value.values,
      pools: this.pools,
      podOptional: this.#options.podOptional ?? false,
      log: listLog(this.log),
      observer: this.#options.observer,
    });
    if (!opened.ok) return opened.error;
    this.#daemon = opened.value;
    this.#client = new DaemonClient(opened.value.address.replace(/^tcp:\/\//, "dns:///"));
    return undefined;
  }

  /** @throws why it cannot be opened. */
  async open(): Promise<this> {
    const problem = await this.tryOpen();
    if (problem !== undefined) throw new Error(problem);
    return this;
  }

  async close(): Promise<void> {
    this.#client?.close();
    await this.#daemon?.close();
    this.#daemon = undefined;
  }

  async remove(): Promise<void> {
    await this.close();
    if (existsSync(this.directory)) rmSync(this.directory, { recursive: true });
  }
}

/** The name of the status that the call fails with, and its message. @throws when it succeeds. */
export async function refusal(call: Promise<unknown>): Promise<{ readonly status: string; readonly message: string }> {
  const outcome = await call.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  if ("value" in outcome) throw new Error(`the call succeeded: ${JSON.stringify(outcome.value)}`);
  const { error } = outcome;
  if (!(error instanceof Error) || !("status" in error)) throw error;
  return { status: String(error.status), message: error.message };
}
