/** What the Go original leaves on a node and in a cluster, written and read as docs/store.md describes it, not by our code. */
import * as assert from "uvu/assert";

/** An address in use, as the original notes it. */
export interface OriginalEntry {
  /** The IPPool's name, or `cidrpool/` and the CIDRPool's. */
  readonly pool: string;
  readonly containerID: string;
  readonly ifname: string;
  readonly address: string;
  readonly pod: { readonly uid: string; readonly name: string; readonly namespace: string };
}

/** JSON text of a pool's configuration on this node, by the pool's key. */
export type PoolConfigs = Readonly<Record<string, string>>;

interface File {
  readonly version: number;
  readonly checksum: number;
  readonly pools: Readonly<
    Record<string, { readonly entries: Readonly<Record<string, Entry>>; readonly last_reserved_ip: string }>
  >;
}

interface Entry {
  readonly container_id: string;
  readonly interface_name: string;
  readonly ip_address: string;
  readonly metadata: { readonly pod_uuid: string; readonly pod_name: string; readonly pod_namespace: string };
}

/** The text of its store file. All that is in it is plain ASCII. */
export function originalStore(entries: readonly OriginalEntry[], configs: PoolConfigs): string {
  const pools = Object.entries(configs)
    .sort(byKey)
    .map(([name, config]) => {
      const own = entries.filter(({ pool }) => pool === name);
      const inOrder = own.map((entry) => [`${entry.containerID}_${entry.ifname}`, goEntry(entry, config)] as const);
      const last_reserved_ip = own.at(-1)?.address ?? "";
      return [
        name,
        { name, entries: Object.fromEntries(inOrder.sort(byKey)), last_pool_config: config, last_reserved_ip },
      ];
    });
  const text = (checksum: number): string => JSON.stringify({ version: 1, checksum, pools: Object.fromEntries(pools) });
  return text(fnv1a(text(0)));
}

/** Reads its store file, of plain ASCII. @throws where the original would not start. */
export function readOriginalStore(text: string): readonly OriginalEntry[] {
  const { version, checksum, pools } = JSON.parse(text) as File;
  assert.is(version, 1);
  const unsigned = text.replace(/^\{"version":1,"checksum":\d+,/, '{"version":1,"checksum":0,');
  assert.is(checksum, fnv1a(unsigned), "the checksum is that of the content");
  return Object.entries(pools).flatMap(([pool, { entries }]) =>
    Object.values(entries).map(({ container_id, interface_name, ip_address, metadata }) => ({
      pool,
      containerID: container_id,
      ifname: interface_name,
      address: ip_address,
      pod: { uid: metadata.pod_uuid, name: metadata.pod_name, namespace: metadata.pod_namespace },
    })),
  );
}

function goEntry({ containerID, ifname, address, pod }: OriginalEntry, config: string): unknown {
  return {
    container_id: containerID,
    interface_name: ifname,
    ip_address: address,
    metadata: {
      create_time: "2026-01-02T03:04:05.123456789Z",
      pod_uuid: pod.uid,
      pod_name: pod.name,
      pod_namespace: pod.namespace,
      device_id: "",
      pool_config_snapshot: config,
    },
  };
}

function byKey([a]: readonly [string, ...unknown[]], [b]: readonly [string, ...unknown[]]): number {
  return a < b ? -1 : 1;
}

/** FNV-1a, 32 bit (draft-eastlake-fnv). */
function fnv1a(text: string): number {
  let hash = 2166136261n;
  for (const byte of Buffer.from(text)) hash = ((hash ^ BigInt(byte)) * 16777619n) % 2n ** 32n;
  return Number(hash);
}
