/** Says what a test cannot do without. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";

/** How a person gets each of the tools that tests use; npm test does it by itself. */
const SOURCES = {
  "aarch64-linux-gnu-strip": "apt-get install binutils-aarch64-linux-gnu",
  bridge: "scripts/peers/cni",
  busybox: "apt-get install busybox-static",
  cnitool: "scripts/peers/cni",
  component: "scripts/peers/component",
  containerd: "scripts/peers/node",
  "containerd-shim-runc-v2": "scripts/peers/node",
  ctr: "scripts/peers/node",
  etcd: "scripts/peers/kube, or set KUBEBUILDER_ASSETS",
  "go-grpc-client": "scripts/peers/go-grpc",
  "go-grpc-server": "scripts/peers/go-grpc",
  helm: "scripts/peers/helm",
  "host-device": "scripts/peers/cni",
  "host-local": "scripts/peers/cni",
  ip: "apt-get install iproute2",
  ipvlan: "scripts/peers/cni",
  "kube-apiserver": "scripts/peers/kube, or set KUBEBUILDER_ASSETS",
  kubectl: "scripts/peers/kube, or set KUBEBUILDER_ASSETS",
  kubelet: "scripts/peers/node",
  loopback: "scripts/peers/cni",
  macvlan: "scripts/peers/cni",
  multus: "scripts/peers/node",
  openssl: "apt-get install openssl",
  ping: "apt-get install iputils-ping",
  promparse: "scripts/peers/prometheus",
  promql: "scripts/peers/prometheus",
  ptp: "scripts/peers/cni",
  runc: "apt-get install runc",
  script: "apt-get install bsdutils",
  strip: "apt-get install binutils",
  "dist/nv-ipam": "npm run build",
} as const;

/** Where scripts/peers puts the programs of others that it builds. */
export const PEERS_BIN = join(import.meta.dirname, "../.cache/peers/bin");

/** A folder with etcd, kube-apiserver and kubectl, as envtest has it: used instead of those that scripts/peers builds. */
const ASSETS = process.env.KUBEBUILDER_ASSETS;

const ROOT = join(import.meta.dirname, "..");

/**
 * The path of a program that a test needs, or proof of being root. Call it at the top of the test file, not in a hook: a
 * throwing hook of uvu hides its message.
 *
 * @throws always when it is missing, never skips: an error that says how to get it.
 */
export function need(tool: keyof typeof SOURCES | "root"): string {
  if (tool === "root") {
    if (process.getuid?.() !== 0) throw new Error("this test needs root: run it with sudo");
    return "root";
  }
  const found = candidates(tool).find(isExecutable);
  if (found === undefined) throw new Error(`this test needs ${tool}: ${SOURCES[tool]}`);
  return found;
}

function candidates(tool: string): string[] {
  if (tool.includes("/")) return [join(ROOT, tool)];
  const assets = ASSETS ? [ASSETS] : [];
  return [...assets, PEERS_BIN, ...(process.env.PATH ?? "").split(delimiter)].map((directory) => join(directory, tool));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
