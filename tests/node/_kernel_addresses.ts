/** Which address which interface of a pod has, as the kernel tells it: every change, in the order in which they happened. */
import { readFileSync } from "node:fs";
import { type BlockList, isIPv6 } from "node:net";
import { join } from "node:path";
import { until } from "../cluster/_pools.ts";
import type { Machine } from "./_machine.ts";
import type { MachineProcess } from "./_machine_process.ts";

/** What was seen of addresses until some moment. */
export interface AddressHistory {
  /** Each moment at which two interfaces had one address, a sentence each. */
  readonly doubles: readonly string[];
  /** The addresses that interfaces have at the end. */
  readonly held: readonly string[];
  /** How often an interface was given an address. */
  readonly given: number;
}

const NAME = "addresses";
/** The first two numbers of addresses that mark a place in what is told. */
const MARKERS = "127.1";

/** `ip monitor` in a node's network namespace, which hears of all namespaces that the node has links into: those of its pods. */
export class KernelAddresses {
  readonly #machine: Machine;
  readonly #process: MachineProcess;
  readonly #log: string;
  #reads = 0;

  private constructor(machine: Machine, process: MachineProcess, log: string) {
    this.#machine = machine;
    this.#process = process;
    this.#log = log;
  }

  /** Begins to listen: from when it resolves on, nothing is missed. */
  static async watch(machine: Machine): Promise<KernelAddresses> {
    const args = ["-rcvbuf", "8388608", "-tshort", "-oneline", "monitor", "all-nsid", "address", "nsid"];
    const process = await machine.spawn(NAME, "ip", args);
    const watch = new KernelAddresses(machine, process, join(machine.root, "var/log", `${NAME}.log`));
    await watch.read();
    return watch;
  }

  /** What was seen of the node, everything included that has happened until now. */
  async read(): Promise<string> {
    // What the kernel tells of one namespace it tells in order: behind the marker nothing is missing. What is told late of the
    // marker of another time must not pass for this one's.
    const time = this.#reads++;
    const marker = `${MARKERS}.${time >> 8}.${time & 255}/32`;
    let text = "";
    await until(
      async () => {
        for (const change of ["add", "delete"]) {
          await this.#machine.try("ip", "address", change, marker, "dev", "lo");
        }
        text = readFileSync(this.#log, "utf8");
        return text.includes(` ${marker} `);
      },
      `${this.#process.name} tells what happens`,
      () => this.#process.log,
    );
    if (!this.#process.running || /netlink/i.test(text)) {
      throw new Error(`${this.#process.name} has missed something: ${this.#process.log}`);
    }
    return text;
  }
}

const LINE = /^\[([^\]]+)\] \[nsid (\w+)\](Deleted )?(?:nsid (\d+)|(\d+): \S+ +inet6? ([^/ ]+)\/\d+ .*scope global)/;

/**
 * Goes through what nodes have told.
 *
 * @param logs of each node, by its name.
 * @param ours the networks that count; pods' first interfaces are others' business.
 */
export function addressHistory(logs: ReadonlyMap<string, string>, ours: BlockList): AddressHistory {
  const holders = new Map<string, Set<string>>();
  const doubles: string[] = [];
  let given = 0;
  for (const { node, line } of inOrder(logs)) {
    const [, time, listener, deleted, namespace, link, address = ""] = LINE.exec(line) ?? [];
    if (listener === "current" && deleted !== undefined && namespace !== undefined) {
      for (const those of holders.values())
        for (const each of those) if (each.startsWith(`${node} ${namespace} `)) those.delete(each);
    }
    if (link === undefined || listener === "current" || !ours.check(address, isIPv6(address) ? "ipv6" : "ipv4"))
      continue;
    const holder = `${node} ${listener} ${link}`;
    const those = holders.get(address) ?? new Set();
    holders.set(address, those);
    if (deleted !== undefined) those.delete(holder);
    else if (!those.has(holder)) {
      given++;
      if (those.add(holder).size > 1) doubles.push(`${time}: ${address} is on ${[...those].join(" and ")}`);
    }
  }
  return {
    doubles,
    held: [...holders]
      .filter(([, { size }]) => size > 0)
      .map(([address]) => address)
      .sort(),
    given,
  };
}

/** The lines of all nodes by their times; those of one node stay in their order. */
function inOrder(logs: ReadonlyMap<string, string>): readonly { readonly node: string; readonly line: string }[] {
  const lines = [...logs].flatMap(([node, text]) =>
    text.split("\n").map((line) => ({ node, line, time: line.slice(0, 28) })),
  );
  return logs.size < 2 ? lines : lines.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : 0));
}
