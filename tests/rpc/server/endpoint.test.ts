import { test } from "uvu";
import * as assert from "uvu/assert";
import { describeEndpoint, type Endpoint, parseEndpoint } from "../../../src/lib/rpc/server/endpoint.ts";

const LONGEST = `/${"x".repeat(105)}`;

const accepted: readonly [text: string, endpoint: Endpoint][] = [
  ["unix:///var/lib/cni/nv-ipam/daemon.sock", { type: "unix", path: "/var/lib/cni/nv-ipam/daemon.sock" }],
  ["unix:/run/daemon.sock", { type: "unix", path: "/run/daemon.sock" }],
  [`unix://${LONGEST}`, { type: "unix", path: LONGEST }],
  ["tcp://127.0.0.1:9092", { type: "tcp", host: "127.0.0.1", port: 9092 }],
  ["tcp://127.9.9.9:0", { type: "tcp", host: "127.9.9.9", port: 0 }],
  ["tcp://[::1]:9092", { type: "tcp", host: "::1", port: 9092 }],
  ["tcp://localhost:1", { type: "tcp", host: "localhost", port: 1 }],
];
for (const [text, endpoint] of accepted) {
  test(`${text.slice(0, 50)} is understood`, () => {
    assert.equal(parseEndpoint(text, false), { ok: true, value: endpoint });
    assert.equal(parseEndpoint(describeEndpoint(endpoint), false), { ok: true, value: endpoint });
  });
}

const beyondLoopback = ["0.0.0.0", "10.0.0.1", "[::]", "[fd00::1]", "example.org", "128.0.0.1", "127.1", "2130706433"];
for (const host of beyondLoopback) {
  test(`R13 tcp on ${host} is refused without --allow-insecure-bind`, () => {
    const refused = parseEndpoint(`tcp://${host}:9092`, false);
    assert.match(refused.ok ? "" : refused.error, "is not a loopback address");
    assert.match(refused.ok ? "" : refused.error, "--allow-insecure-bind");
    const allowed = parseEndpoint(`tcp://${host}:9092`, true);
    assert.equal(allowed.ok && allowed.value, { type: "tcp", host: host.replace(/[[\]]/g, ""), port: 9092 });
  });
}

const refused: readonly [text: string, message: RegExp][] = [
  ["", /use unix:\/\/\/path/],
  ["/run/daemon.sock", /use unix:\/\/\/path/],
  ["http://127.0.0.1:80", /use unix:\/\/\/path/],
  ["tcp://127.0.0.1", /use unix:\/\/\/path/],
  ["tcp://::1:9092", /use unix:\/\/\/path/],
  ["tcp://127.0.0.1:65536", /a port is at most 65535/],
  ["unix://run/daemon.sock", /must be absolute/],
  [`unix://${LONGEST}x`, /has 107 bytes, a socket's may have 106/],
  [`unix:///${"é".repeat(60)}`, /has 121 bytes/],
];
for (const [text, message] of refused) {
  test(`the bind address "${text.slice(0, 50)}" is refused with what would be right`, () => {
    const endpoint = parseEndpoint(text, true);
    assert.match(endpoint.ok ? "" : endpoint.error, message);
  });
}

test.run();
