/** Keeps a daemon's pools as the manifests of a directory say, divided among the nodes. */
import { randomUUID } from "node:crypto";
import { readFile } from "node:fs/promises";
import { duplicatePools, formatManifestProblem, parseManifests } from "../api/manifests.ts";
import type { NodeInfo } from "../api/selector.ts";
import type { Pool } from "../api/types.ts";
import type { PoolTable } from "../daemon/pool_table.ts";
import type { Log } from "../observe/log.ts";
import { poolKey } from "../planner/overlaps.ts";
import { RestClock } from "../planner/rest.ts";
import { fail, ok, type Result } from "../result.ts";
import { dealPools } from "./deal_pools.ts";
import { parseNodes } from "./nodes.ts";
import { readPoolDirectory, watchPoolDirectory } from "./pool_directory.ts";
import { readState, writeState } from "./state_file.ts";

/** The longest time that a timer counts. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Where pools and nodes come from and go to. */
export interface PoolSourceOptions {
  readonly directory: string;
  /** File that lists the nodes; undefined: this node alone. */
  readonly nodesFile: string | undefined;
  readonly nodeName: string;
  readonly stateFile: string;
  readonly releaseDelayMs: number;
  readonly table: PoolTable;
  readonly log: Log;
}

/** What a reading of the directory and the nodes' file gave. */
interface Wanted {
  readonly pools: readonly Pool[];
  readonly nodes: readonly NodeInfo[];
}

/** The pools of a directory. What was in force stays in force until a reading without a mistake. */
export class PoolSource {
  readonly #options: PoolSourceOptions;
  readonly #clock = new RestClock(() => performance.now());
  #dealt: readonly Pool[];
  #nodes: readonly NodeInfo[] = [];
  #timer: NodeJS.Timeout | undefined;
  #told: string | undefined;

  private constructor(options: PoolSourceOptions, dealt: readonly Pool[]) {
    this.#options = options;
    this.#dealt = dealt;
  }

  /** Takes up the pools as they were dealt last. @returns why the state file cannot be used. */
  static async open(options: PoolSourceOptions): Promise<Result<PoolSource, string>> {
    const state = await readState(options.stateFile);
    return state.ok ? ok(new PoolSource(options, state.value)) : state;
  }

  /** Serves the pools and follows the directory until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { directory, nodesFile } = this.#options;
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
    const also = nodesFile === undefined ? [] : [nodesFile];
    await watchPoolDirectory(directory, also, () => this.#reload(), signal);
  }

  /** Reads everything once; with any mistake in it, says where and changes nothing. */
  async #reload(): Promise<void> {
    const wanted = await this.#read();
    if (!wanted.ok) {
      for (const problem of wanted.error) this.#options.log.error("A manifest is not accepted", { problem });
      this.#options.log.warning("What was in force before stays in force", { pools: this.#dealt.length });
    } else {
      this.#nodes = wanted.value.nodes;
      await this.#deal(wanted.value.pools);
    }
    this.#serve();
  }

  async #read(): Promise<Result<Wanted, readonly string[]>> {
    const nodes = await this.#readNodes();
    const files = await readPoolDirectory(this.#options.directory);
    const read = (files.ok ? files.value : []).map(({ path, text }) => parseManifests(text, path));
    const pools = read.flatMap((manifests) => manifests.pools);
    const problems = [
      ...(nodes.ok ? [] : [nodes.error]),
      ...(files.ok ? [] : [files.error]),
      ...[...read.flatMap((manifests) => manifests.problems), ...duplicatePools(pools)].map(formatManifestProblem),
    ];
    if (!nodes.ok || problems.length > 0) return fail(problems);
    for (const warning of read.flatMap((manifests) => manifests.warnings)) {
      this.#options.log.warning("A manifest is odd", { problem: formatManifestProblem(warning) });
    }
    return ok({ pools: pools.map(({ pool }) => pool), nodes: nodes.value });
  }

  async #readNodes(): Promise<Result<readonly NodeInfo[], string>> {
    const { nodesFile, nodeName, log } = this.#options;
    if (nodesFile === undefined) return ok([{ name: nodeName, labels: {} }]);
    let text: string;
    try {
      text = await readFile(nodesFile, "utf8");
    } catch (error) {
      return fail(`${nodesFile}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
    const nodes = parseNodes(text, nodesFile);
    if (nodes.ok && !nodes.value.some(({ name }) => name === nodeName)) {
      log.warning("This node is not in the nodes' file, so it gets no block", { node: nodeName, file: nodesFile });
    }
    return nodes;
  }

  /** Blocks are on disk before they are served: a crash must not give them to another node. */
  async #deal(wanted: readonly Pool[]): Promise<void> {
    const { log, stateFile, releaseDelayMs } = this.#options;
    const dealt = dealPools({
      wanted,
      before: this.#dealt,
      nodes: this.#nodes,
      now: new Date(),
      clock: this.#clock,
      releaseDelayMs,
      newUID: randomUUID,
    });
    if (dealt.changed) {
      try {
        await writeState(stateFile, dealt.pools);
      } catch (error) {
        log.error("The pools cannot be kept; what was in force before stays in force", { err: error, file: stateFile });
        return;
      }
      this.#dealt = dealt.pools;
      for (const { pool, reason, message } of dealt.events) log.warning(message, { pool, reason });
      for (const { pool, blocks } of dealt.forgotten) log.info("A pool is gone", { pool, blocks });
    }
    clearTimeout(this.#timer);
    if (dealt.wakeAfterMs !== undefined) {
      const again = (): Promise<void> => this.#deal(this.#dealt).then(() => this.#serve());
      this.#timer = setTimeout(again, Math.min(dealt.wakeAfterMs, MAX_TIMER_MS));
    }
  }

  #serve(): void {
    const { table, log } = this.#options;
    for (const kind of ["IPPool", "CIDRPool"] as const) {
      table.replace(
        kind,
        this.#dealt.filter((pool) => pool.kind === kind),
      );
    }
    const pools = this.#dealt.map(poolKey).join(",");
    if (pools !== this.#told) log.info("Serving pools", { pools });
    this.#told = pools;
  }
}
