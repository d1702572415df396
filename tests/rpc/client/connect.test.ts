import { test } from "uvu";
import * as assert from "uvu/assert";
import { explainConnectError } from "../../../src/lib/rpc/client/_connect.ts";

for (const [code, expected] of [
  ["ENOTFOUND", "the host node.example is unknown"],
  ["EAI_AGAIN", "the host node.example could not be looked up just now"],
  ["ECONNREFUSED", "refused: nobody listens on the port; is the nv-ipam node daemon running?"],
  ["EHOSTUNREACH", "the host cannot be reached"],
  ["ENETUNREACH", "the host cannot be reached"],
  ["ETIMEDOUT", "the host does not answer"],
  ["EMFILE", "EMFILE (connect)"],
] as const) {
  test(`${code} of a TCP connection is told in words`, () => {
    const error = Object.assign(new Error("some text"), { code, syscall: "connect" });
    assert.is(explainConnectError({ host: "node.example", port: 80 }, error), expected);
  });
}

for (const [code, expected] of [
  ["ENOENT", "no such file: is the nv-ipam node daemon running?"],
  ["EPERM", "permission denied: the plugin must run as the daemon's user, usually root"],
  ["EPROTOTYPE", "the socket is not a stream socket"],
  ["ECONNREFUSED", "refused: nobody listens on the socket; is the nv-ipam node daemon running?"],
  ["EIO", "EIO (connect)"],
] as const) {
  test(`${code} of a unix socket that is gone by now is told in words`, () => {
    const error = Object.assign(new Error("some text"), { code, syscall: "connect" });
    assert.is(explainConnectError({ path: "/no/such/daemon.sock" }, error), expected);
  });
}

test("an error without a code is told as it is", () => {
  assert.is(explainConnectError({ path: "/no/such" }, new Error("some text")), "some text");
});

test.run();
