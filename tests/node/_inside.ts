/** What a pod sees of its network: looked up in its own network namespace. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { need } from "../_need.ts";
import type { Machine } from "./_machine.ts";
import type { Pod } from "./_pods.ts";

need("ping");
const run = promisify(execFile);
const LIMIT_MS = 60_000;

/** A route through a gateway, as `ip route` shows it. */
export interface Route {
  readonly dst: string;
  readonly gateway: string;
  readonly dev: string;
}

export class PodInside {
  readonly #namespace: string;

  /** @param machine of the node that the pod runs on. */
  constructor(machine: Machine, pod: Pod) {
    const id = pod.status?.containerStatuses?.[0]?.containerID?.replace("containerd://", "");
    if (id === undefined) throw new Error(`pod ${pod.metadata.name} has no container`);
    const task = machine.path(`/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id}`);
    const pid = readFileSync(`${task}/init.pid`, "utf8");
    this.#namespace = machine.path(`/proc/${pid}/ns/net`);
  }

  /** Names of its interfaces, without the loopback one. */
  async interfaces(): Promise<readonly string[]> {
    const links = await this.#ip<{ readonly ifname: string }>("link", "show");
    return links.map(({ ifname }) => ifname).filter((name) => name !== "lo");
  }

  /** The addresses of an interface with their prefix lengths, but for those that it gave itself. */
  async addresses(ifname: string): Promise<readonly string[]> {
    interface Link {
      readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[];
    }
    const [link] = await this.#ip<Link>("address", "show", "dev", ifname);
    return (link?.addr_info ?? [])
      .filter(({ scope }) => scope === "global")
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`);
  }

  /** Its routes of one family through gateways. */
  async gatewayRoutes(family: 4 | 6 = 4): Promise<readonly Route[]> {
    const routes = await this.#ip<Partial<Route>>(`-${family}`, "route", "show");
    return routes.flatMap(({ dst = "", gateway, dev = "" }) => (gateway === undefined ? [] : { dst, gateway, dev }));
  }

  /**
   * Waits until the address answers: any packet of a network may be lost.
   *
   * @param ifname goes out and comes back through this interface, whatever the routes say. @throws with what ping says.
   */
  async ping(address: string, ifname?: string): Promise<void> {
    const through = ifname === undefined ? [] : ["-I", ifname];
    await this.#enter("ping", "-n", "-c", "1", "-w", "20", ...through, address);
  }

  /**
   * Lets each of several interfaces of one network answer for its own addresses alone, and take what comes back to it. Else the
   * kernel answers for all of them through any, and refuses what does not come back where its routes lead.
   */
  async separateInterfaces(): Promise<void> {
    await this.#enter(
      "sh",
      "-c",
      "for at in /proc/sys/net/ipv4/conf/*; do echo 1 >$at/arp_ignore; echo 0 >$at/rp_filter; done",
    );
  }

  async #ip<Item>(...args: readonly string[]): Promise<readonly Item[]> {
    return JSON.parse(await this.#enter("ip", "-j", ...args)) as readonly Item[];
  }

  async #enter(...command: readonly string[]): Promise<string> {
    try {
      return (await run("nsenter", [`--net=${this.#namespace}`, ...command], { timeout: LIMIT_MS })).stdout;
    } catch (error) {
      const { stdout = "", stderr = "", killed } = error as { stdout?: string; stderr?: string; killed?: boolean };
      const late = killed === true ? `not within ${LIMIT_MS} ms: ` : "";
      throw new Error(`${command.join(" ")}: ${late}${stdout}${stderr}`, { cause: error });
    }
  }
}
