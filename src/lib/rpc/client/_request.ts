import { encodeField } from "./_hpack.ts";
import type { UnaryCall } from "./call.ts";

/** What is wrong with the path or the metadata of a call, if anything: only what can be sent as it is may be sent. */
export function checkRequest({ path, metadata = {} }: UnaryCall): string | undefined {
  if (!/^\/[!-~]+$/.test(path)) {
    return `the method's path ${JSON.stringify(path)} is not a slash and printable ASCII`;
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (!/^(?!grpc-)[0-9a-z_.-]+(?<!-bin)$/.test(name)) {
      return `${JSON.stringify(name)} cannot be a metadata name`;
    }
    if (!/^[ -~]*$/.test(value) || value.trim() !== value) {
      return `metadata ${name} has a value that is not printable ASCII without blanks at its ends`;
    }
  }
  return undefined;
}

/** The header block of a request, "gRPC over HTTP/2", Requests. Numbers are names in HPACK's static table. */
export function requestHeaders({ path, metadata = {} }: UnaryCall, timeoutMs: number): Buffer {
  const fields = [
    encodeField(2, "POST"),
    encodeField(6, "http"),
    encodeField(4, path),
    encodeField(1, "localhost"),
    encodeField(31, "application/grpc"),
    encodeField(58, "nv-ipam"),
    encodeField("te", "trailers"),
    encodeField("grpc-timeout", grpcTimeout(timeoutMs)),
  ];
  for (const [name, value] of Object.entries(metadata)) {
    fields.push(encodeField(name, value));
  }
  return Buffer.concat(fields);
}

/** A `grpc-timeout` value: at most eight digits and a unit. */
function grpcTimeout(ms: number): string {
  return ms < 1e8 ? `${ms}m` : `${Math.floor(ms / 1000)}S`;
}
