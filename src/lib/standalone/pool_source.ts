/** Keeps a daemon's pools as the manifests of a directory say, divided among the nodes. */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { duplicatePools, formatManifestProblem, parseManifests } from "../api/manifests.ts";
import type { NodeInfo } from "../api/selector.ts";
import type { Allocation, Pool } from "../api/types.ts";
import type { PoolTable } from "../daemon/pool_table.ts";
import type { Log } from "../observe/log.ts";
import { blockText } from "../planner/block_entry.ts";
import { poolKey } from "../planner/overlaps.ts";
import { RestClock } from "../planner/rest.ts";
import { fail, ok, type Result } from "../result.ts";
import { dealPools } from "./deal_pools.ts";
import { parseNodes } from "./nodes.ts";
import { fingerprint, readPoolDirectory, readTextFile } from "./pool_directory.ts";
import { readState, writeState } from "./state_file.ts";

/**
 * Milliseconds between looks for changes. Looking also works where the file system tells nothing: network file systems, bind
 * mounts, a directory that is removed and comes back.
 */
const LOOK_MILLISECONDS = 400;

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

/** Why a reading is not accepted. */
interface Refused {
  readonly problems: readonly string[];
  /** Whether only a change of the files can help. */
  readonly isFinal: boolean;
}

/** The pools of a directory. What was in force stays in force until a reading without a mistake. */
export class PoolSource {
  readonly #options: PoolSourceOptions;
  readonly #clock = new RestClock(() => performance.now());
  /** The pools in force, with their blocks; undefined until there were any. */
  #dealt: readonly Pool[] | undefined;
  #nodes: readonly NodeInfo[] = [];
  /** When a block's rest is over and the pools have to be dealt again, in milliseconds of performance.now. */
  #wakeAt = Number.POSITIVE_INFINITY;
  #problems: readonly string[] = [];
  #toldBlocks: ReadonlyMap<string, string> = new Map();

  private constructor(options: PoolSourceOptions, dealt: readonly Pool[] | undefined) {
    this.#options = options;
    this.#dealt = dealt;
    options.table.explain(() => this.#problems);
  }

  /** Takes up the pools as they were dealt last. @returns why the state file cannot be used. */
  static async open(options: PoolSourceOptions): Promise<Result<PoolSource, string>> {
    const state = await readState(options.stateFile);
    return state.ok ? ok(new PoolSource(options, state.value)) : state;
  }

  /** Serves the pools and follows the files until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    let done: string | undefined;
    let before: string | undefined;
    while (!signal.aborted) {
      const seen = await this.#look();
      // What changes may be half written: it is read when two looks find the same.
      const isStill = before === undefined || seen === before;
      if (seen !== done && isStill) {
        done = (await this.#reload(seen)) ? seen : undefined;
        this.#serve();
      } else if (performance.now() >= this.#wakeAt) {
        await this.#deal(this.#dealt ?? []);
        this.#serve();
      }
      before = seen;
      await pause(LOOK_MILLISECONDS, undefined, { signal }).catch(() => undefined);
    }
  }

  #look(): Promise<string> {
    const { directory, nodesFile } = this.#options;
    return fingerprint(directory, nodesFile === undefined ? [] : [nodesFile]);
  }

  /** Reads everything once; with any mistake in it, says where and changes nothing. @returns false: try again. */
  async #reload(seen: string): Promise<boolean> {
    const wanted = await this.#read();
    // Reading takes its time: what was written meanwhile may have been read by half.
    if ((await this.#look()) !== seen) return false;
    if (!wanted.ok) {
      this.#tell(wanted.error.problems);
      return wanted.error.isFinal;
    }
    this.#nodes = wanted.value.nodes;
    return this.#deal(wanted.value.pools);
  }

  async #read(): Promise<Result<Wanted, Refused>> {
    const { nodesFile, nodeName, directory, log } = this.#options;
    const nodesText = nodesFile === undefined ? ok("") : await readTextFile(nodesFile);
    const files = await readPoolDirectory(directory);
    if (!nodesText.ok || !files.ok) {
      return fail({ problems: [nodesText, files].flatMap((read) => (read.ok ? [] : read.error)), isFinal: false });
    }
    const nodes =
      nodesFile === undefined ? ok([{ name: nodeName, labels: {} }]) : parseNodes(nodesText.value, nodesFile);
    const read = files.value.map(({ path, text }) => parseManifests(text, path));
    const pools = read.flatMap((manifests) => manifests.pools);
    const mistakes = [...read.flatMap((manifests) => manifests.problems), ...duplicatePools(pools)];
    if (!nodes.ok || mistakes.length > 0) {
      const problems = [...(nodes.ok ? [] : [nodes.error]), ...mistakes.map(formatManifestProblem)];
      return fail({ problems, isFinal: true });
    }
    for (const warning of read.flatMap((manifests) => manifests.warnings)) {
      log.warning("A manifest is odd", { problem: formatManifestProblem(warning) });
    }
    if (!nodes.value.some(({ name }) => name === nodeName)) {
      log.warning("This node is not in the nodes' file, so it gets no block", { node: nodeName, file: nodesFile });
    }
    return ok({ pools: pools.map(({ pool }) => pool), nodes: nodes.value });
  }

  /** Blocks are on disk before they are served: a crash must not give them to another node. @returns false: try again. */
  async #deal(wanted: readonly Pool[]): Promise<boolean> {
    const { log, stateFile, releaseDelayMs } = this.#options;
    const dealt = dealPools({
      wanted,
      before: this.#dealt ?? [],
      nodes: this.#nodes,
      now: new Date(),
      clock: this.#clock,
      releaseDelayMs,
      newUID: randomUUID,
    });
    if (dealt.changed || this.#dealt === undefined) {
      try {
        await writeState(stateFile, dealt.pools);
      } catch (error) {
        this.#tell([`${stateFile}: cannot be written: ${error instanceof Error ? error.message : String(error)}`]);
        return false;
      }
      this.#dealt = dealt.pools;
      for (const { pool, reason, message } of dealt.events) log.warning(message, { pool, reason });
      for (const { pool, blocks } of dealt.forgotten) log.warning("A pool is gone, with its blocks", { pool, blocks });
    }
    if (this.#problems.length > 0) log.info("The pools' files are accepted again");
    this.#problems = [];
    this.#wakeAt = performance.now() + (dealt.wakeAfterMs ?? Number.POSITIVE_INFINITY);
    return true;
  }

  /** Says once what keeps the files' content from being in force. */
  #tell(problems: readonly string[]): void {
    if (problems.join("\n") === this.#problems.join("\n")) return;
    this.#problems = problems;
    const { log } = this.#options;
    for (const problem of problems) log.error("The pools' files are not accepted", { problem });
    log.warning("What was in force before stays in force", { pools: this.#dealt?.length ?? 0 });
  }

  #serve(): void {
    if (this.#dealt === undefined) return;
    const { table, log } = this.#options;
    for (const kind of ["IPPool", "CIDRPool"] as const) {
      table.replace(
        kind,
        this.#dealt.filter((pool) => pool.kind === kind),
      );
    }
    const blocks = new Map(this.#dealt.map((pool) => [poolKey(pool), this.#ownBlock(pool)]));
    for (const [pool, block] of blocks) {
      if (this.#toldBlocks.get(pool) !== block) log.info("This node's block", { pool, block });
    }
    this.#toldBlocks = blocks;
  }

  #ownBlock({ status }: Pool): string {
    const entries: readonly Allocation[] = status?.allocations ?? [];
    const own = entries.find(({ nodeName }) => nodeName === this.#options.nodeName);
    return own === undefined ? "none" : blockText(own);
  }
}
