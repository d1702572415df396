/** What may happen to a cluster. Each fault resolves when the cluster is as before, but for what the fault was. */
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { must, until } from "../cluster/_pools.ts";
import { EXECUTABLE as BUILT } from "../plugin.ts";
import type { Cluster } from "./_cluster.ts";
import type { Machine } from "./_machine.ts";
import type { ClusterNode } from "./_node.ts";

/** Where the daemon's store is. */
export const STORE_DIRECTORY = "/var/lib/cni/nv-ipam";
/** The plugin's log. */
export const PLUGIN_LOG = "/var/log/nv-ipam-cni.log";
const FILLER = `${STORE_DIRECTORY}/filler`;

/** What goes on while a fault lasts. */
export type Meanwhile = () => Promise<void>;

const nothing: Meanwhile = () => Promise.resolve();

/** The daemon is killed, and started again as kubelet does it with a container. @param meanwhile what is waited for before. */
export async function killDaemon({ ipam }: ClusterNode, meanwhile = nothing): Promise<void> {
  await ipam.process.end("SIGKILL");
  try {
    await meanwhile();
  } finally {
    await ipam.start();
  }
}

/** containerd is killed and started again; its shims and containers live on. */
export async function killContainerd({ containerd }: ClusterNode): Promise<void> {
  await containerd.process.end("SIGKILL");
  await containerd.start();
}

/**
 * The controller that leads is killed, and a pool is defined at once. Another one leads in the end and has given each node a
 * block, and as many stand by as before.
 */
export async function killLeader(cluster: Cluster): Promise<void> {
  const { pools } = cluster;
  await (await cluster.leader()).process.end("SIGKILL");
  try {
    await pools.untilCreated("IPPool", "orphan", { subnet: "10.99.0.0/16", perNodeBlockSize: 10 });
  } finally {
    await cluster.replaceEndedControllers();
  }
  await cluster.leader();
  let blocks: readonly string[] = [];
  await until(
    async () => {
      blocks = await pools.blocks("IPPool", "orphan");
      return cluster.nodes.every(({ name }) => blocks.some((block) => block.startsWith(`${name} `)));
    },
    "the pool that was defined while no controller led has a block for each node",
    () => blocks.join("\n"),
    60_000,
  );
  must(await pools.delete("IPPool", "orphan"));
}

/** The API server is away for that time; the controllers outlive it. @param meanwhile what is tried in its first moment and in its last. */
export async function apiAway(cluster: Cluster, ms: number, meanwhile = nothing): Promise<void> {
  await cluster.api.stopApi();
  try {
    const over = delay(ms);
    await meanwhile();
    await over;
    await meanwhile();
  } finally {
    await cluster.api.startApi();
  }
  await sameControllersLead(cluster);
}

/** Waits until one of the controllers leads. @throws when any has ended. */
export async function sameControllersLead(cluster: Cluster): Promise<void> {
  await cluster.leader();
  const ended = cluster.controllers.filter(({ process }) => !process.running);
  if (ended.length > 0) throw new Error(ended.map(({ process }) => `${process.name} ended: ${process.log}`).join("\n"));
}

/** Another build takes the daemon's place, and installs its plugin. @param meanwhile what is waited for before. */
export async function upgrade({ ipam, machine }: ClusterNode, meanwhile = nothing): Promise<void> {
  const next = "/nv-ipam-next";
  const file = join(machine.root, next);
  const program = readFileSync(BUILT);
  // The last bytes of the executable say which build it is.
  const id = randomBytes(32);
  id.copy(program, program.length - id.length);
  // It may be running, from the last time.
  rmSync(file, { force: true });
  writeFileSync(file, program, { mode: 0o755 });
  await ipam.process.end("SIGTERM");
  try {
    await meanwhile();
  } finally {
    await ipam.start(next, `--cni-nv-ipam-bin-file=${next}`);
  }
  const installed = readFileSync(join(machine.root, "opt/cni/bin/nv-ipam"));
  if (!installed.subarray(-id.length).equals(id)) throw new Error("the new plugin is not in place");
}

/** Waits until a call of the plugin is under way. While its daemon is away it stays so for seconds. */
export async function pluginIsCalled({ machine }: ClusterNode): Promise<void> {
  await until(
    async () => (await running(machine, "nv-ipam")).length > 0,
    "a call of the plugin is under way",
    () => readFileSync(join(machine.root, PLUGIN_LOG), "utf8").slice(-2000),
    60_000,
  );
}

/**
 * The store of a daemon that is stopped is removed, while pods go on with their addresses. What is being set up is finished
 * before: of an address that the runtime has not noted yet nobody else knows.
 */
export async function loseStore({ machine }: ClusterNode): Promise<void> {
  const calls = await running(machine, "multus");
  let left: readonly string[] = calls;
  await until(
    async () => {
      const present = await running(machine, "multus");
      left = calls.filter((pid) => present.includes(pid));
      return left.length === 0;
    },
    "the calls that knew the daemon have ended",
    () => left,
    60_000,
  );
  await machine.run("sh", "-c", `rm ${STORE_DIRECTORY}/store*`);
}

/** Numbers of the processes of a program that run. */
async function running(machine: Machine, program: string): Promise<readonly string[]> {
  const { exit, stdout, stderr } = await machine.try("busybox", "pidof", program);
  // 1 says that there is none.
  if (exit !== 0 && exit !== 1) throw new Error(`pidof ${program}: exit ${exit}: ${stderr}`);
  return stdout.split(/\s+/).filter((pid) => pid !== "");
}

/** A disk of its own for the daemon's store and the plugin's log, which can be full. */
export class SmallDisk {
  readonly #node: ClusterNode;

  private constructor(node: ClusterNode) {
    this.#node = node;
  }

  /** Puts it where the daemon, which is stopped, then makes a new store. */
  static async mount(node: ClusterNode): Promise<SmallDisk> {
    const log = `${STORE_DIRECTORY}/plugin.log`;
    await node.machine.run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", STORE_DIRECTORY);
    await node.machine.run("touch", log);
    await node.machine.run("mount", "--bind", log, PLUGIN_LOG);
    return new SmallDisk(node);
  }

  /** Leaves no space, neither on the disk nor in the journal: no address is given any more. @returns what the daemon says. */
  async fill(pool: string): Promise<string> {
    await this.#node.machine.try("dd", "if=/dev/zero", `of=${FILLER}`, "bs=4k");
    return this.refusal(pool);
  }

  /** Takes addresses and gives them back until the daemon refuses. @returns what it says. */
  async refusal(pool: string): Promise<string> {
    const client = this.#node.ipam.client();
    try {
      for (let round = 0; round < 1000; round++) {
        const who = Array.from({ length: 32 }, (_, index) => ({ pools: [pool], container: `filler-${index}` }));
        const answers = await Promise.allSettled(who.map((each) => client.allocate(each)));
        await Promise.all(who.map((each) => client.deallocate(each)));
        const refusal = answers.find(({ status }) => status === "rejected");
        if (refusal !== undefined && "reason" in refusal) return String(refusal.reason);
      }
      throw new Error("addresses are given although the disk is full");
    } finally {
      client.close();
    }
  }

  async clear(): Promise<void> {
    await this.#node.machine.run("rm", FILLER);
  }
}
