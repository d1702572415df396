import { test } from "uvu";
import * as assert from "uvu/assert";
import { daemonError, ErrorCode, formatError, oneLine, quote } from "../../src/lib/cni/error.ts";
import type { CallFailure } from "../../src/lib/rpc/client/call.ts";

const TABLE: readonly (readonly [type: CallFailure["type"], status: number, code: number, hint: string])[] = [
  ["target", 3, 7, "daemonSocket does not name the nv-ipam node daemon: SAID"],
  ["connect", 14, 11, "the nv-ipam node daemon cannot be reached: SAID"],
  ["deadline", 4, 11, "the nv-ipam node daemon took too long: SAID; see its log, or raise daemonCallTimeoutSeconds"],
  ["protocol", 13, 107, "broke off: SAID; see that daemonSocket is"],
  ["protocol", 12, 107, "broke off: SAID"],
  ["protocol", 8, 107, "broke off: SAID"],
  ["protocol", 14, 11, "cannot serve now: SAID; try again"],
  ["status", 1, 107, "SAID; gRPC status 1 of"],
  ["status", 2, 107, "SAID; gRPC status 2 of"],
  ["status", 3, 102, "SAID; correct what"],
  ["status", 4, 11, "took too long: SAID"],
  ["status", 5, 100, "SAID; see that the pool exists"],
  ["status", 6, 103, "SAID; DEL this interface before"],
  ["status", 7, 107, "SAID; gRPC status 7 of"],
  ["status", 8, 101, "SAID; free an address"],
  ["status", 9, 104, "SAID; DEL this interface and add it again"],
  ["status", 10, 107, "SAID; gRPC status 10 of"],
  ["status", 11, 102, "SAID; correct what"],
  ["status", 12, 107, "SAID; see that daemonSocket is"],
  ["status", 13, 107, "SAID; gRPC status 13 of"],
  ["status", 14, 11, "cannot serve now: SAID; try again"],
  ["status", 15, 107, "SAID; gRPC status 15 of"],
  ["status", 16, 107, "SAID; gRPC status 16 of"],
  ["status", 4711, 107, "SAID; gRPC status 4711 of"],
];

for (const [type, status, code, hint] of TABLE) {
  test(`a call that ends with ${type} ${status} is error ${code}, with what was said and what to do`, () => {
    const error = daemonError({ type, status, message: "SAID" });
    assert.is(error.code, code);
    assert.match(error.message, hint);
  });
}

test("what our daemon says to do is not said twice", () => {
  const message = 'IPPool "a": no free address; delete pods on this node';
  assert.is(daemonError({ type: "status", status: 8, message }).message, message);
});

test("no two errors share a code, and the plugin's own start at 100", () => {
  const codes = Object.values(ErrorCode);
  assert.is(new Set(codes).size, codes.length);
  const WELL_KNOWN = [1, 2, 3, 4, 5, 6, 7, 11, 50, 51];
  assert.equal(
    codes.filter((code) => code < 100 && !WELL_KNOWN.includes(code)),
    [],
  );
});

test("an error is one line of JSON with the specification's members", () => {
  const text = formatError("1.0.0", { code: 7, message: "a\nb\u2028c\u0007d", details: "e\r\nf" });
  assert.match(text, /^\{[^\n]*\}\n$/);
  assert.equal(JSON.parse(text), { cniVersion: "1.0.0", code: 7, msg: "a b c d", details: "e f" });
  assert.equal(JSON.parse(formatError("0.1.0", { code: 7, message: "a" })), { cniVersion: "0.1.0", code: 7, msg: "a" });
});

test("text of foreign origin is bounded", () => {
  assert.ok(oneLine("x".repeat(1_000_000)).length <= 2001);
  assert.ok(quote("\u0000".repeat(1_000_000)).length < 700);
});

test.run();
