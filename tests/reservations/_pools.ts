/** Pools, pods and requests for the tests of the ledger. */
import * as assert from "uvu/assert";
import type { CIDRPool, CIDRPoolSpec, IPPool, IPPoolAllocation, IPPoolSpec } from "../../src/lib/api/types.ts";
import { type Address, formatAddress, parseAddress } from "../../src/lib/ip/address.ts";
import type { AllocateRequest, Allocation, Ledger } from "../../src/lib/reservations/ledger.ts";
import { type NodePool, poolOnNode } from "../../src/lib/reservations/pool.ts";
import type { Refusal } from "../../src/lib/reservations/refusal.ts";
import type { Attachment, PodOwner, Reservation } from "../../src/lib/reservations/reservation.ts";
import type { Result } from "../../src/lib/result.ts";

/** The node whose daemon the tests play. */
export const NODE = "node-1";

/** An address that the test is sure of. */
export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is no address`);
  return parsed;
}

/** `block` and the blocks of `others` are written "first-last". */
export function ipPool(
  name: string,
  spec: IPPoolSpec,
  block: string | undefined,
  others: Readonly<Record<string, string>> = {},
  uid = `uid-of-${name}`,
): IPPool {
  const entries = Object.entries({ ...(block !== undefined && { [NODE]: block }), ...others });
  const allocations = entries.map(([nodeName, text]): IPPoolAllocation => {
    const [startIP = "", endIP = ""] = text.split("-");
    return { nodeName, startIP, endIP };
  });
  return {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind: "IPPool",
    metadata: { name, uid },
    spec,
    status: { allocations },
  };
}

/** A CIDRPool whose prefix for this node is given. */
export function cidrPool(name: string, spec: CIDRPoolSpec, prefix: string, gateway?: string): CIDRPool {
  return {
    apiVersion: "nv-ipam.nvidia.com/v1alpha1",
    kind: "CIDRPool",
    metadata: { name, uid: `uid-of-${name}` },
    spec,
    status: { allocations: [{ nodeName: NODE, prefix, ...(gateway !== undefined && { gateway }) }] },
  };
}

/** The pool made ready for NODE. */
export function ready(object: IPPool | CIDRPool): NodePool {
  const made = poolOnNode(object, NODE);
  if (made.state !== "ready") throw new Error(`${object.metadata.name} is ${made.state}: ${made.reason}`);
  return made.pool;
}

/** 192.168.0.1 to 192.168.0.24 with the gateway 192.168.0.1, as most recorded stories have it. */
export const pool1 = ready(
  ipPool(
    "pool1",
    { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.1" },
    "192.168.0.1-192.168.0.24",
    { "node-2": "192.168.0.25-192.168.0.48" },
  ),
);

/** 10.10.0.9 to 10.10.0.12 without a gateway. */
export const pool2 = ready(ipPool("pool2", { subnet: "10.10.0.0/24", perNodeBlockSize: 4 }, "10.10.0.9-10.10.0.12"));

/** Five hundred IPv6 addresses. */
export const pool6 = ready(
  ipPool(
    "pool6",
    { subnet: "fd52:2eb5:44::/48", perNodeBlockSize: 500, gateway: "fd52:2eb5:44::1" },
    "fd52:2eb5:44::1-fd52:2eb5:44::1f4",
  ),
);

/** 10.20.3.0/24 with the gateway 10.20.3.1. */
export const cidr1 = ready(
  cidrPool("cidr1", { cidr: "10.20.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 1 }, "10.20.3.0/24", "10.20.3.1"),
);

/** One address. */
export const tiny = ready(ipPool("tiny", { subnet: "10.30.0.0/24", perNodeBlockSize: 1 }, "10.30.0.1-10.30.0.1"));

/** The pod of a container: `uid-<name>`. */
export function pod(name: string): PodOwner {
  return { type: "pod", namespace: "default", name: `pod-${name}`, uid: `uid-${name}` };
}

/** A container's interface. */
export function attachment(containerID: string, ifname = "net1"): Attachment {
  return { containerID, ifname };
}

/** 2026-01-02T03:04:05.006Z */
export const NOW = Date.UTC(2026, 0, 2, 3, 4, 5, 6);

type Options = Partial<Omit<AllocateRequest, "pools" | "attachment" | "requested">> & {
  readonly ifname?: string;
  readonly requested?: readonly string[];
};

/** An ADD for the interface net1 of a container, whose pod is named like it. */
export function add(
  ledger: Ledger,
  container: string,
  pools: readonly NodePool[],
  { ifname = "net1", requested = [], ...rest }: Options = {},
): Result<readonly Allocation[], Refusal> {
  return ledger.allocate({
    pools,
    attachment: attachment(container, ifname),
    owner: pod(container),
    network: "net-a",
    deviceID: "",
    requested: requested.map(address),
    choice: { type: "next" },
    allowStaticInOtherBlocks: false,
    now: NOW,
    ...rest,
  });
}

/** The addresses of a good answer as texts; the status of a refusal. */
export function outcome(result: Result<readonly Allocation[], Refusal>): string | readonly string[] {
  if (!result.ok) return result.error.status;
  return result.value.map((allocation) => formatAddress(allocation.address));
}

/** The allocations of an answer that has to be good. */
export function granted(result: Result<readonly Allocation[], Refusal>): readonly Allocation[] {
  if (!result.ok) throw new Error(`refused: ${result.error.status}: ${result.error.message}`);
  return result.value;
}

/** Checks a refusal: its status, and that its message is one sentence or two that name what they should. */
export function refused(result: Result<unknown, Refusal>, status: Refusal["status"], ...named: string[]): void {
  if (result.ok) throw new Error(`was not refused with ${status}`);
  assert.is(result.error.status, status);
  for (const text of named) {
    assert.ok(result.error.message.includes(text), `"${result.error.message}" does not name ${text}`);
  }
}

/** Everything that is reserved, as sorted texts `kind/pool container/ifname address how`. */
export function contents(ledger: Ledger): readonly string[] {
  return ledger.snapshot().reservations.map(line).sort();
}

/** One reservation as a text. */
export function line({ pool, containerID, ifname, addresses, how }: Reservation): string {
  return `${pool.kind}/${pool.name} ${containerID}/${ifname} ${addresses.map(formatAddress).join(",")} ${how}`;
}

/** A reservation as a rebuild makes it: without container id and network. */
export function rebuilt(pool: NodePool, container: string, text: string, ifname = "net1"): Reservation {
  return {
    ...attachment("", ifname),
    pool: pool.id,
    addresses: [address(text)],
    owner: pod(container),
    network: "",
    deviceID: "",
    how: "adopted",
    createdAt: "2026-01-01T00:00:00.000Z",
  };
}

/** DEL of the container's interface, in one pool. */
export function del(ledger: Ledger, container: string, pool: NodePool): number {
  return ledger.deallocate({ pools: [pool.id], attachment: attachment(container), network: "net-a" });
}
