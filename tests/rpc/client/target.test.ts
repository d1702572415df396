import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseTarget } from "../../../src/lib/rpc/client/target.ts";

for (const [target, address] of [
  ["/run/daemon.sock", { path: "/run/daemon.sock" }],
  ["./daemon.sock", { path: "./daemon.sock" }],
  ["unix:/run/daemon.sock", { path: "/run/daemon.sock" }],
  ["unix:daemon.sock", { path: "daemon.sock" }],
  ["unix:///run/daemon.sock", { path: "/run/daemon.sock" }],
  ["unix:///run/a b%20ä.sock", { path: "/run/a b%20ä.sock" }],
  ["tcp://127.0.0.1:9091", { host: "127.0.0.1", port: 9091 }],
  ["tcp://node.example:65535", { host: "node.example", port: 65535 }],
  ["tcp://[::1]:1", { host: "::1", port: 1 }],
  ["tcp://[fe80::1%eth0]:80", { host: "fe80::1%eth0", port: 80 }],
] as const) {
  test(`${target} is understood`, () => {
    assert.equal(parseTarget(target), { ok: true, value: address });
  });
}

for (const [target, error] of [
  ["", /empty/],
  ["unix:", /empty/],
  ["unix://", /absolute/],
  ["unix://run/daemon.sock", /unix:\/\/\/path/],
  ["unix:///run/\0", /NUL/],
  [`/${"d".repeat(107)}`, /107 bytes/],
  [`/${"ä".repeat(54)}`, /107 bytes/],
  ["http://127.0.0.1:80", /scheme/],
  ["dns:///host:80", /scheme/],
  ["localhost:80", /scheme/],
  ["tcp:127.0.0.1:80", /tcp:\/\/host:port/],
  ["tcp://127.0.0.1", /tcp:\/\/host:port/],
  ["tcp://127.0.0.1:0", /1 to 65535/],
  ["tcp://127.0.0.1:65536", /1 to 65535/],
  ["tcp://127.0.0.1:8x", /tcp:\/\/host:port/],
  ["tcp://:80", /tcp:\/\/host:port/],
  ["tcp://::1:80", /brackets/],
  ["tcp://[]:80", /brackets/],
  ["tcp://a b:80", /tcp:\/\/host:port/],
] as const) {
  test(`${JSON.stringify(target)} is refused with words that help`, () => {
    const result = parseTarget(target);
    assert.match(result.ok ? "" : result.error, error);
  });
}

test("the longest path that a unix socket may have is taken", () => {
  assert.ok(parseTarget(`/${"d".repeat(106)}`).ok);
});

test.run();
