/** The recorded exchanges between the original's plugin and its daemon. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import {
  AllocateRequest,
  DeallocateRequest,
  type IPAMFeatures,
  IsAllocatedRequest,
  PoolType,
} from "../../../src/lib/rpc/generated/node.ts";

const FOLDER = join(import.meta.dirname, "../../conformance/vectors/wire");

export interface WireVector {
  readonly name: string;
  readonly why: string;
  readonly call: {
    readonly command: "ADD" | "CHECK" | "DEL";
    readonly container: string;
    readonly config: {
      readonly args?: { readonly cni: { readonly ips?: string[]; readonly allocateIPWithIndex?: number } };
      readonly ipam: {
        readonly poolName: string;
        readonly poolType?: string;
        readonly daemonCallTimeoutSeconds?: number;
      };
    };
  };
  readonly exchange: readonly { readonly from: "client" | "server"; readonly hex: string }[];
  readonly outcome: { readonly exit: number; readonly stdout: unknown };
}

export const WIRE_VECTORS: readonly WireVector[] = readdirSync(FOLDER)
  .filter((file) => file.endsWith(".json"))
  .map((file) => ({ name: file.replace(".json", ""), ...JSON.parse(readFileSync(join(FOLDER, file), "utf8")) }));

/** The vector of that name. */
export function wireVector(name: string): WireVector {
  const found = WIRE_VECTORS.find((vector) => vector.name === name);
  if (found === undefined) throw new Error(`no vector is called ${name}`);
  return found;
}

/** The chunks that one side sent. */
export function chunksOf({ exchange }: WireVector, from: "client" | "server"): Buffer[] {
  return exchange.filter((chunk) => chunk.from === from).map(({ hex }) => Buffer.from(hex, "hex"));
}

/** Everything that one side sent. */
export function bytesOf(vector: WireVector, from: "client" | "server"): Buffer {
  return Buffer.concat(chunksOf(vector, from));
}

const METHODS = {
  ADD: { path: "/nvidia.ipam.node.v1.IPAMService/Allocate", request: AllocateRequest },
  CHECK: { path: "/nvidia.ipam.node.v1.IPAMService/IsAllocated", request: IsAllocatedRequest },
  DEL: { path: "/nvidia.ipam.node.v1.IPAMService/Deallocate", request: DeallocateRequest },
} as const;

/** The gRPC call that the vector's CNI call means: its path and its message, encoded by the generated code. */
export function rpcOf({ call }: WireVector): { path: string; message: Uint8Array } {
  const { path, request } = METHODS[call.command];
  const { ipam, args } = call.config;
  const features: IPAMFeatures = { allocateDefaultGateway: false };
  if (args?.cni.allocateIPWithIndex !== undefined) {
    features.allocateIpWithIndex = args.cni.allocateIPWithIndex;
  }
  const parameters = {
    pools: ipam.poolName.split(","),
    cniContainerid: call.container,
    cniIfname: "net1",
    metadata: {
      k8sPodName: `pod-${call.container}`,
      k8sPodNamespace: "default",
      k8sPodUid: `uid-${call.container}`,
      deviceId: "",
    },
    poolType: ipam.poolType === "cidrpool" ? PoolType.POOL_TYPE_CIDRPOOL : PoolType.POOL_TYPE_IPPOOL,
    requestedIps: args?.cni.ips ?? [],
    features,
  };
  return { path, message: request.encode({ parameters }).finish() };
}
