/** Carries out the steps of the suite `grpc`: each is one call of the daemon. */
import * as grpc from "@grpc/grpc-js";
import {
  AllocateRequest,
  AllocateResponse,
  DeallocateRequest,
  DeallocateResponse,
  IsAllocatedRequest,
  IsAllocatedResponse,
  PoolType,
} from "../../src/lib/rpc/generated/node.ts";
import type { Act, Json } from "./vector.ts";

const METHODS = {
  Allocate: { request: AllocateRequest, response: AllocateResponse },
  IsAllocated: { request: IsAllocatedRequest, response: IsAllocatedResponse },
  Deallocate: { request: DeallocateRequest, response: DeallocateResponse },
};

export const act: Act = async (step, { places }) => {
  const method = METHODS[step.method as keyof typeof METHODS];
  const bytes =
    typeof step.requestHex === "string"
      ? Buffer.from(step.requestHex, "hex")
      : Buffer.from(
          method.request.encode(method.request.fromPartial(fromWireNames(step.request ?? {}) as never)).finish(),
        );
  const client = new grpc.Client(`unix://${places.SOCKET}`, grpc.credentials.createInsecure());
  try {
    return await new Promise<Json>((resolve) => {
      client.makeUnaryRequest(
        `/nvidia.ipam.node.v1.IPAMService/${String(step.method)}`,
        (value: Buffer) => value,
        (value: Buffer) => value,
        bytes,
        { deadline: Date.now() + 10_000 },
        (error, answer) => {
          if (error) resolve({ status: String(grpc.status[error.code]) });
          else {
            const response = method.response.decode(answer ?? Buffer.alloc(0));
            resolve({ status: "OK", response: toWireNames(response as unknown as Json) ?? {} });
          }
        },
      );
    });
  } finally {
    client.close();
  }
};

/** Field names of the protocol definition to those of the generated types; enum names to numbers. */
function fromWireNames(value: Json): Json {
  if (Array.isArray(value)) return value.map(fromWireNames);
  if (typeof value === "string" && value in PoolType) return PoolType[value as keyof typeof PoolType];
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, item]): [string, Json] => [
    key.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase()),
    fromWireNames(item),
  ]);
  return Object.fromEntries(entries);
}

/** The reverse; members at their default value are left out, as the vectors do. */
function toWireNames(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => toWireNames(item) ?? {});
  if (value === "" || value === 0 || value === false || value === null) return undefined;
  if (typeof value !== "object") return value;
  const message: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    const name = key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const converted = toWireNames(item);
    if (converted === undefined) continue;
    message[name] = name === "pool_type" ? poolTypeName(converted) : converted;
  }
  return message;
}

function poolTypeName(value: Json): string {
  return Object.entries(PoolType).find(([, number]) => number === value)?.[0] ?? String(value);
}
