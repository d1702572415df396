/** Files as libcni writes them into its cache (`cacheAdd` in libcni/api.go); tests/peers checks a real one. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** The config of a network that uses the plugin. */
export const CONFIG = { type: "macvlan", ipam: { type: "nv-ipam", poolName: "pool1" } } as const;

/** A pod as the runtime names it in CNI_ARGS. */
export interface CachedPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** What a file is made of; each member has a default. */
export interface CachedFile {
  readonly container?: string;
  readonly ifname?: string;
  readonly network?: string;
  readonly config?: unknown;
  readonly pod?: CachedPod | undefined;
  /** Further pairs of CNI_ARGS. */
  readonly args?: readonly unknown[];
  readonly capabilityArgs?: unknown;
  /** With prefix lengths. */
  readonly addresses?: readonly string[];
  /** Instead of one with the addresses. */
  readonly result?: unknown;
}

/** A file's members with some of them changed. */
export function cacheText(changed: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...JSON.parse(cacheFile({})), ...changed });
}

/** A file's text. */
export function cacheFile(file: CachedFile): string {
  const { container = "c1", ifname = "net1", network = "net-a", config = CONFIG, args = [], capabilityArgs } = file;
  const pod = "pod" in file ? file.pod : { namespace: "default", name: `pod-${container}`, uid: `uid-${container}` };
  const { addresses = ["10.0.0.2/24"] } = file;
  const result = { cniVersion: "1.0.0", ips: addresses.map((address) => ({ address })) };
  const named = pod && [
    ["IgnoreUnknown", "true"],
    ["K8S_POD_NAMESPACE", pod.namespace],
    ["K8S_POD_NAME", pod.name],
    ["K8S_POD_UID", pod.uid],
  ];
  return JSON.stringify({
    kind: "cniCacheV1",
    containerId: container,
    config: Buffer.from(JSON.stringify(config)).toString("base64"),
    ifName: ifname,
    networkName: network,
    netns: `/var/run/netns/${container}`,
    cniArgs: [...(named ?? []), ...args],
    capabilityArgs,
    result: "result" in file ? file.result : result,
  });
}

/** A cache in a directory of the test. */
export class LibcniCache {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, "results"), { recursive: true });
  }

  /** What libcni does after an ADD. */
  add(file: CachedFile): void {
    writeFileSync(this.#path(file), cacheFile(file), { mode: 0o600 });
  }

  /** What libcni does after a DEL. */
  delete(file: CachedFile): void {
    rmSync(this.#path(file), { force: true });
  }

  #path({ container = "c1", ifname = "net1", network = "net-a" }: CachedFile): string {
    return join(this.directory, "results", `${network}-${container}-${ifname}`);
  }
}
