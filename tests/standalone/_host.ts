/** A host of the standalone mode: its directory of pools, its nodes' file, and what its daemon would serve. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { poolView } from "../../src/lib/daemon/pool_view.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { PoolSource } from "../../src/lib/standalone/pool_source.ts";
import { listLog } from "../daemon/_local.ts";

/** A host whose daemon can be stopped and started. */
export class Host {
  readonly root = mkdtempSync(join(tmpdir(), "nv-ipam-source-"));
  readonly directory = join(this.root, "pools");
  readonly nodesFile = join(this.root, "nodes.yaml");
  readonly stateFile = join(this.root, "store.pools");
  readonly log: string[] = [];
  table = new PoolTable("node-1");
  #stop = new AbortController();
  #running: Promise<void> | undefined;

  constructor() {
    mkdirSync(this.directory);
  }

  write(name: string, content: unknown): void {
    writeFileSync(join(this.directory, name), typeof content === "string" ? content : JSON.stringify(content));
  }

  remove(name: string): void {
    rmSync(join(this.directory, name));
  }

  async start(options: { readonly nodes?: readonly unknown[]; readonly releaseDelayMs?: number } = {}): Promise<void> {
    if (options.nodes !== undefined) this.nodes(...options.nodes);
    const hasNodes = existsSync(this.nodesFile);
    this.table = new PoolTable("node-1");
    const source = await PoolSource.open({
      directory: this.directory,
      nodesFile: hasNodes ? this.nodesFile : undefined,
      nodeName: "node-1",
      stateFile: this.stateFile,
      releaseDelayMs: options.releaseDelayMs ?? 600_000,
      table: this.table,
      log: listLog(this.log),
    });
    if (!source.ok) throw new Error(source.error);
    this.#stop = new AbortController();
    this.#running = source.value.run(this.#stop.signal);
  }

  nodes(...nodes: readonly unknown[]): void {
    writeFileSync(this.nodesFile, JSON.stringify(nodes));
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  /** Pools with this node's block, or what is wrong with them. */
  pools(): readonly string[] {
    const views = [...this.table.all()].map((pool) => poolView(pool, new Ledger()));
    return views.map(({ name, startIp, endIp }) => `${name} ${startIp}-${endIp}`);
  }

  /** Waits until it is so. */
  async until(isSo: () => boolean): Promise<void> {
    for (let waited = 0; !isSo(); waited += 10) {
      if (waited > 20_000) throw new Error(`it has not come to pass:\n${this.log.join("\n")}\n${this.pools()}`);
      await delay(10);
    }
  }

  /** Waits until these are the pools. */
  serves(...expected: readonly string[]): Promise<void> {
    return this.until(() => this.table.known("IPPool") && this.pools().join() === expected.join());
  }

  logged(text: string | RegExp): Promise<void> {
    return this.until(() =>
      this.log.some((line) => (typeof text === "string" ? line.includes(text) : text.test(line))),
    );
  }

  /** The blocks of the first pool, as the state file says. */
  blocks(): readonly string[] {
    const { pools } = JSON.parse(readFileSync(this.stateFile, "utf8"));
    const allocations: { nodeName: string; startIP: string }[] = pools[0].status.allocations;
    return allocations.map(({ nodeName, startIP }) => `${nodeName} ${startIP}`).sort();
  }
}
