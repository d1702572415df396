/** What may happen to a cluster. Each fault resolves when the cluster is as before, but for what the fault was. */
import { randomBytes } from "node:crypto";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { until } from "../cluster/_pools.ts";
import { EXECUTABLE as BUILT } from "../plugin.ts";
import type { Cluster } from "./_cluster.ts";
import type { Machine } from "./_machine.ts";
import type { ClusterNode } from "./_node.ts";

/** Where the daemon's store is. */
export const STORE_DIRECTORY = "/var/lib/cni/nv-ipam";
const FILLER = `${STORE_DIRECTORY}/filler`;

/** The daemon is killed, and started again as kubelet does it with a container. */
export async function killDaemon({ ipam }: ClusterNode): Promise<void> {
  await ipam.process.end("SIGKILL");
  await ipam.start();
}

/** containerd is killed and started again; its shims and containers live on. */
export async function killContainerd({ containerd }: ClusterNode): Promise<void> {
  await containerd.process.end("SIGKILL");
  await containerd.start();
}

/** The controller that leads is killed. Another one leads in the end, and as many stand by as before. */
export async function killLeader(cluster: Cluster): Promise<void> {
  await (await cluster.leader()).process.end("SIGKILL");
  await cluster.replaceEndedControllers();
  await cluster.leader();
}

/** The API server is away for that time. @param meanwhile what is tried while it is. */
export async function apiAway(cluster: Cluster, ms: number, meanwhile: () => Promise<void>): Promise<void> {
  await cluster.api.stopApi();
  const over = delay(ms);
  await meanwhile();
  await over;
  await cluster.api.startApi();
  await cluster.replaceEndedControllers();
}

/** Another build takes the daemon's place, and installs its plugin while the one before is being called. */
export async function upgrade({ ipam, machine }: ClusterNode): Promise<void> {
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
  await ipam.start(next, `--cni-nv-ipam-bin-file=${next}`);
  const installed = readFileSync(join(machine.root, "opt/cni/bin/nv-ipam"));
  if (!installed.subarray(-id.length).equals(id)) throw new Error("the new plugin is not in place");
}

/**
 * The daemon is stopped and its store is removed, while pods go on with their addresses. What is being set up is finished
 * before: of an address that the runtime has not noted yet nobody else knows.
 */
export async function loseStore({ ipam, machine }: ClusterNode): Promise<void> {
  await ipam.process.end("SIGTERM");
  const calls = await multusCalls(machine);
  let left: readonly string[] = calls;
  await until(
    async () => {
      const present = await multusCalls(machine);
      left = calls.filter((pid) => present.includes(pid));
      return left.length === 0;
    },
    "the calls that knew the daemon have ended",
    () => left,
    60_000,
  );
  await machine.run("sh", "-c", `rm ${STORE_DIRECTORY}/store*`);
  await ipam.start();
}

/** Numbers of the processes of Multus that run. */
async function multusCalls(machine: Machine): Promise<readonly string[]> {
  const { stdout } = await machine.try("busybox", "pidof", "multus");
  return stdout.split(/\s+/).filter((pid) => pid !== "");
}

/** A disk of its own for the daemon's store, which can be full. */
export class SmallDisk {
  readonly #node: ClusterNode;

  private constructor(node: ClusterNode) {
    this.#node = node;
  }

  /** Gives the daemon a new, empty store on it. */
  static async mount(node: ClusterNode): Promise<SmallDisk> {
    await node.ipam.process.end("SIGTERM");
    await node.machine.run("mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", STORE_DIRECTORY);
    await node.ipam.start();
    return new SmallDisk(node);
  }

  /** Leaves no space, neither on the disk nor in the journal: no address is given any more. @returns what the daemon says. */
  async fill(pool: string): Promise<string> {
    const { machine, ipam } = this.#node;
    await machine.try("dd", "if=/dev/zero", `of=${FILLER}`, "bs=4k");
    const client = ipam.client();
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
