import { formatAddress } from "../ip/address.ts";
import type { Ledger } from "../reservations/ledger.ts";
import type { PoolView } from "../rpc/generated/daemon.ts";
import type { TabledPool } from "./pool_table.ts";

/** A pool with its counts, as inspect shows it. */
export function poolView({ onNode: found, trouble }: TabledPool, ledger: Ledger): PoolView {
  const { id } = found;
  const common = {
    kind: id.kind,
    name: id.name,
    uid: id.uid,
    subnet: found.cidr,
  };
  if (found.state !== "ready") {
    const none = { gateway: "", startIp: "", endIp: "", total: "0", excluded: "0", free: "0", cursor: "" };
    return {
      ...common,
      ...none,
      used: String(ledger.held(id)),
      problem: found.state === "invalid" ? found.reason : trouble,
    };
  }
  const { block, gateway, usableCount } = found.pool;
  const text = (value: bigint): string => formatAddress({ family: block.family, value });
  const { held, free, cursor } = ledger.usage(found.pool);
  const total = block.last - block.first + 1n;
  return {
    ...common,
    gateway: gateway === undefined ? "" : formatAddress(gateway),
    startIp: text(block.first),
    endIp: text(block.last),
    total: String(total),
    excluded: String(total - usableCount),
    used: String(held),
    free: String(free),
    cursor: cursor === undefined ? "" : formatAddress(cursor),
    problem: trouble,
  };
}
