/** Keeps a daemon's pools as the manifests of a directory say, divided among the nodes. */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { NodeInfo } from "../api/selector.ts";
import type { Allocation, Pool } from "../api/types.ts";
import type { PoolTable } from "../daemon/pool_table.ts";
import type { Log } from "../observe/log.ts";
import { blockText } from "../planner/block_entry.ts";
import { poolKey } from "../planner/overlaps.ts";
import { RestClock } from "../planner/rest.ts";
import { fail, ok, type Result } from "../result.ts";
import { type DealtPools, dealPools } from "./deal_pools.ts";
import { parseNodes } from "./nodes.ts";
import { fingerprint, readPoolDirectory, readTextFile } from "./pool_directory.ts";
import { readState, writeState } from "./state_file.ts";
import { type WantedPools, wantedPools } from "./wanted_pools.ts";

/**
 * Milliseconds between looks for changes. Looking also works where the file system tells nothing: network file systems, bind
 * mounts, a directory that is removed and comes back.
 */
const LOOK_MILLISECONDS = 400;
/** After a look that took long, at thousands of files, the pause is so many times as long, up to a limit. */
const PAUSE_SHARE = 20;
const LONGEST_PAUSE_MILLISECONDS = 5000;

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
interface Wanted extends WantedPools {
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
      const begun = performance.now();
      const seen = await this.#look();
      const looked = performance.now() - begun;
      const isFirst = before === undefined;
      // What changes may be half written: it is read when two looks find the same.
      if (seen !== done && (isFirst || seen === before)) {
        const read = await this.#reload(seen, isFirst);
        done = read === "done" ? seen : undefined;
        if (read !== "moving") this.#serve();
      } else if (performance.now() >= this.#wakeAt) {
        await this.#deal(this.#dealt ?? []);
        this.#serve();
      }
      before = seen;
      const wait = Math.min(Math.max(LOOK_MILLISECONDS, looked * PAUSE_SHARE), LONGEST_PAUSE_MILLISECONDS);
      await pause(wait, undefined, { signal }).catch(() => undefined);
    }
  }

  #look(): Promise<string> {
    const { directory, nodesFile } = this.#options;
    return fingerprint(directory, nodesFile === undefined ? [] : [nodesFile]);
  }

  /**
   * Reads everything once; with any mistake in it, says where and changes nothing.
   *
   * @param isFirst whether nothing was seen before: what differs from the state has to be seen twice, too.
   * @returns moving: it may be half written, look again; failed: try again.
   */
  async #reload(seen: string, isFirst: boolean): Promise<"done" | "failed" | "moving"> {
    const wanted = await this.#read();
    // Reading takes its time: what was written meanwhile may have been read by half.
    if ((await this.#look()) !== seen) return "moving";
    if (!wanted.ok) {
      this.#tell(wanted.error.problems);
      return wanted.error.isFinal ? "done" : "failed";
    }
    const { pools, nodes, warnings } = wanted.value;
    if (isFirst && this.#dealt !== undefined && this.#plan(pools, nodes).changed) return "moving";
    const { log, nodeName, nodesFile } = this.#options;
    for (const problem of warnings) log.warning("A manifest is odd", { problem });
    if (!nodes.some(({ name }) => name === nodeName)) {
      log.warning("This node is not in the nodes' file, so it gets no block", { node: nodeName, file: nodesFile });
    }
    this.#nodes = nodes;
    return (await this.#deal(pools)) ? "done" : "failed";
  }

  async #read(): Promise<Result<Wanted, Refused>> {
    const { nodesFile, nodeName, directory } = this.#options;
    const nodesText = nodesFile === undefined ? ok("") : await readTextFile(nodesFile);
    const files = await readPoolDirectory(directory);
    if (!nodesText.ok || !files.ok) {
      return fail({ problems: [nodesText, files].flatMap((read) => (read.ok ? [] : read.error)), isFinal: false });
    }
    const nodes =
      nodesFile === undefined ? ok([{ name: nodeName, labels: {} }]) : parseNodes(nodesText.value, nodesFile);
    const wanted = wantedPools(files.value, directory, (this.#dealt?.length ?? 0) > 0);
    if (nodes.ok && wanted.ok) return ok({ ...wanted.value, nodes: nodes.value });
    return fail({ problems: [...(nodes.ok ? [] : [nodes.error]), ...(wanted.ok ? [] : wanted.error)], isFinal: true });
  }

  #plan(wanted: readonly Pool[], nodes: readonly NodeInfo[]): DealtPools {
    return dealPools({
      wanted,
      before: this.#dealt ?? [],
      nodes,
      now: new Date(),
      clock: this.#clock,
      releaseDelayMs: this.#options.releaseDelayMs,
      newUID: randomUUID,
    });
  }

  /** Blocks are on disk before they are served: a crash must not give them to another node. @returns false: try again. */
  async #deal(wanted: readonly Pool[]): Promise<boolean> {
    const { log, stateFile } = this.#options;
    const dealt = this.#plan(wanted, this.#nodes);
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
