/** What joins the machines: a network that they are managed by, and one that pods' secondary interfaces are in. */
import { execFile } from "node:child_process";
import { networkInterfaces } from "node:os";
import { promisify } from "node:util";
import { Machine, type MachineSettings } from "./_machine.ts";
import type { Reaper } from "./_reaper.ts";

const run = promisify(execFile);

/** A link of every node into the pods' network: a master for macvlan. */
export const MASTER = "data0";
/** Another one, for ipvlan: a link is the master of one of the two. */
export const IPVLAN_MASTER = "data2";
/** A bridge of every node with a port into that network. */
export const BRIDGE = "databr";
const BRIDGE_PORT = "data1";

/** A machine with two bridges. All links have one end in it, and so go with it. */
export class Switch {
  readonly machine: Machine;
  /** The first two parts of the network that the machines are managed by: 198.18.NUMBER.0/24. */
  readonly #number: number;
  #machines = 0;
  #ports = 0;

  private constructor(machine: Machine, number: number) {
    this.machine = machine;
    this.#number = number;
  }

  static async start(settings: MachineSettings, reaper: Reaper): Promise<Switch> {
    const number = freeNetwork();
    const machine = await Machine.start(settings, reaper);
    const made = new Switch(machine, number);
    for (const bridge of ["management", "secondary"]) {
      await machine.run("ip", "link", "add", bridge, "type", "bridge");
      await machine.run("ip", "link", "set", bridge, "up");
    }
    await machine.run("ip", "address", "add", `${made.#address(2)}/24`, "dev", "management");
    // A router that is silent about shorter ways: ping takes such a hint for an error.
    for (const [setting, value] of Object.entries({
      "ipv4/ip_forward": 1,
      "ipv6/conf/all/forwarding": 1,
      "ipv4/conf/all/send_redirects": 0,
      "ipv4/conf/secondary/send_redirects": 0,
    })) {
      await machine.run("sh", "-c", `echo ${value} >/proc/sys/net/${setting}`);
    }
    const link = `nvt${process.pid}`;
    await made.#connect("management", link, process.pid);
    await run("ip", ["address", "add", `${made.hostAddress}/24`, "dev", link]);
    await run("ip", ["link", "set", link, "up"]);
    return made;
  }

  /** Where the machines reach this process's host. */
  get hostAddress(): string {
    return this.#address(1);
  }

  /** Where the switch itself is reached. */
  get address(): string {
    return this.#address(2);
  }

  /** Joins a machine to both networks. @param known the address that it has. @returns its address. */
  async join(machine: Machine, known?: string): Promise<string> {
    const address = await this.manage(machine, known);
    await machine.run("ip", "link", "add", BRIDGE, "up", "type", "bridge");
    for (const link of [MASTER, IPVLAN_MASTER, BRIDGE_PORT]) await this.#plug("secondary", link, machine);
    await machine.run("ip", "link", "set", BRIDGE_PORT, "master", BRIDGE);
    return address;
  }

  /** Joins a machine to the network that it is managed by. @param known the address that it has. @returns its address. */
  async manage(machine: Machine, known?: string): Promise<string> {
    const address = known ?? this.#address(10 + ++this.#machines);
    await this.#plug("management", "eth0", machine);
    await machine.run("ip", "address", "add", `${address}/24`, "dev", "eth0");
    await machine.run("ip", "route", "add", "default", "via", this.address);
    return address;
  }

  /** Gives the switch an address in the secondary network: a gateway, or something beyond one. */
  async answer(address: string): Promise<void> {
    const family = address.includes(":") ? ["-6"] : [];
    const ready = address.includes(":") ? ["nodad"] : [];
    await this.machine.run("ip", ...family, "address", "replace", address, "dev", "secondary", ...ready);
  }

  async #plug(bridge: string, link: string, machine: Machine): Promise<void> {
    await this.#connect(bridge, link, machine.pid);
    await machine.run("ip", "link", "set", link, "up");
  }

  /** Makes a link between a bridge and the network of a process. */
  async #connect(bridge: string, link: string, pid: number): Promise<void> {
    const port = `port${++this.#ports}`;
    const peer = ["peer", "name", link, "netns", String(pid)];
    await run("nsenter", [`--target=${this.machine.pid}`, "--net", "ip", "link", "add", port, "type", "veth", ...peer]);
    await this.machine.run("ip", "link", "set", port, "master", bridge, "up");
  }

  #address(host: number): string {
    return `198.18.${this.#number}.${host}`;
  }
}

/** A third part of 198.18.0.0/15 (RFC 2544, for tests of network devices) that no interface here has. */
function freeNetwork(): number {
  const taken = new Set(
    Object.values(networkInterfaces()).flatMap((all) => (all ?? []).map(({ address }) => address.split(".")[2])),
  );
  for (let offset = 0; offset < 256; offset++) {
    const number = (process.pid + offset) % 256;
    if (!taken.has(String(number))) return number;
  }
  throw new Error("no part of 198.18.0.0/16 is free");
}
