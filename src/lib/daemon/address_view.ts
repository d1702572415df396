import { type Address, contains, formatAddress, formatCidr, parseCidr } from "../ip/address.ts";
import { describeAddress } from "../reservations/address_role.ts";
import type { AddressView } from "../rpc/generated/daemon.ts";
import type { TabledPool } from "./pool_table.ts";

/** What an address is in the pool, as inspect shows it; nothing where the pool's network does not have it. */
export function addressView({ onNode: found }: TabledPool, address: Address): readonly AddressView[] {
  const cidr = parseCidr(found.cidr);
  if (cidr === undefined || !contains(cidr, address)) return [];
  const common = { poolKind: found.id.kind, pool: found.id.name };
  if (found.state !== "ready") return [{ ...common, network: found.cidr, inBlock: false, otherBlock: "", roles: [] }];
  const { network } = found.pool;
  const { inBlock, otherBlock, roles } = describeAddress(found.pool, address);
  return [
    {
      ...common,
      network: formatCidr(network),
      inBlock,
      otherBlock: otherBlock === undefined ? "" : formatAddress(otherBlock),
      roles: [...roles],
    },
  ];
}
