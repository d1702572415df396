/** A node with one pool and one reservation. */
import type { NodeContent } from "../../src/lib/inspect/content.ts";
import type { PoolItem, ReservationItem } from "../../src/lib/inspect/report.ts";

export const pool: PoolItem = {
  pool: "pool1",
  poolKind: "IPPool",
  uid: "u1",
  subnet: "10.0.0.0/24",
  gateway: "10.0.0.1",
  block: { startIP: "10.0.0.1", endIP: "10.0.0.8" },
  addresses: { total: "8", excluded: "1", used: "1", free: "6" },
  lastAddress: "10.0.0.2",
  blocks: null,
  problem: "",
};
export const reservation: ReservationItem = {
  pool: "pool1",
  poolKind: "IPPool",
  poolUID: "u1",
  addresses: ["10.0.0.2"],
  node: "node-1",
  containerID: "c1",
  ifname: "net1",
  pod: { namespace: "default", name: "web", uid: "p1" },
  network: "net-a",
  deviceID: "",
  how: "dynamic",
  createdAt: "2026-11-22T08:00:00Z",
};

/** What its daemon says. */
export function nodeContent(more: Partial<NodeContent> = {}): NodeContent {
  return {
    type: "node",
    source: { type: "daemon", place: "unix:///run/daemon.sock", node: "node-1" },
    notes: [],
    pools: [pool],
    isRunning: true,
    reservations: [reservation],
    pods: undefined,
    problems: [],
    outdated: [],
    ...more,
  };
}
