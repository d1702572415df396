import { encodeField } from "./_hpack.ts";
import type { UnaryCall } from "./call.ts";

const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-_.";

/** What is wrong with the path or the metadata of a call, if anything: only what can be sent as it is may be sent. */
export function checkRequest({ path, metadata = {} }: UnaryCall): string | undefined {
  if (!path.startsWith("/") || path.includes(" ") || !isPrintable(path)) {
    return `the method's path ${JSON.stringify(path)} is not a slash and printable ASCII`;
  }
  for (const [name, value] of Object.entries(metadata)) {
    if (!isMetadataName(name)) {
      return `${JSON.stringify(name)} cannot be a metadata name`;
    }
    if (!isPrintable(value) || value.trim() !== value) {
      return `metadata ${name} has a value that is not printable ASCII without blanks at its ends`;
    }
  }
  return undefined;
}

function isMetadataName(name: string): boolean {
  for (const character of name) {
    if (!NAME_CHARACTERS.includes(character)) {
      return false;
    }
  }
  return name !== "" && !name.startsWith("grpc-") && !name.endsWith("-bin");
}

function isPrintable(text: string): boolean {
  for (const character of text) {
    if (character < " " || character > "~") {
      return false;
    }
  }
  return true;
}

/** The header block of a request, "gRPC over HTTP/2", Requests. Numbers are names in HPACK's static table. */
export function requestHeaders({ path, metadata = {} }: UnaryCall, timeoutMs: number): Buffer {
  let block =
    encodeField(2, "POST") +
    encodeField(6, "http") +
    encodeField(4, path) +
    encodeField(1, "localhost") +
    encodeField(31, "application/grpc") +
    encodeField(58, "nv-ipam") +
    encodeField("te", "trailers") +
    encodeField("grpc-timeout", grpcTimeout(timeoutMs));
  for (const [name, value] of Object.entries(metadata)) {
    block += encodeField(name, value);
  }
  return Buffer.from(block, "latin1");
}

/** A `grpc-timeout` value: at most eight digits and a unit. */
function grpcTimeout(ms: number): string {
  return ms < 1e8 ? `${ms}m` : `${Math.floor(ms / 1000)}S`;
}
