import { test } from "uvu";
import * as assert from "uvu/assert";
import { NETWORK_STATUS_ANNOTATION, readNetworkStatus } from "../../src/lib/api/network_status.ts";
import { formatAddress } from "../../src/lib/ip/address.ts";

const read = (text: string) =>
  readNetworkStatus({ [NETWORK_STATUS_ANNOTATION]: text }).map(({ addresses, ...rest }) => ({
    ...rest,
    addresses: addresses.map(formatAddress),
  }));

test("what Multus writes is read: the primary network and two more", () => {
  const text = `[{
    "name": "cbr0", "interface": "eth0", "ips": ["10.244.1.73"], "mac": "26:f8:1e:28:3a:5b", "default": true, "dns": {}
  }, {
    "name": "shop/rail-1", "interface": "net1", "ips": ["192.168.0.2", "fd00:0::2"], "mac": "2a:cd:2a:67:b8:13", "dns": {}
  }, {
    "name": "shop/plain", "interface": "net2", "dns": {}
  }]`;
  assert.equal(read(text), [
    { network: "cbr0", ifname: "eth0", isDefault: true, addresses: ["10.244.1.73"] },
    { network: "shop/rail-1", ifname: "net1", isDefault: false, addresses: ["192.168.0.2", "fd00::2"] },
    { network: "shop/plain", ifname: "net2", isDefault: false, addresses: [] },
  ]);
});

for (const text of ["", "{", "null", "{}", '"x"', "7", '[7, null, [], "x"]', `[${" ".repeat(300_000)}]`]) {
  test(`${text.slice(0, 20) || "an empty text"} says no networks`, () => assert.equal(read(text), []));
}

test("members of other types are left out, the rest is read", () => {
  const entry = { network: "", ifname: "", isDefault: false, addresses: ["10.0.0.1"] };
  assert.equal(read('[{"name": 7, "interface": {}, "default": "true", "ips": [1, "x", "10.0.0.1", "10.0.0.1/24"]}]'), [
    entry,
  ]);
  assert.equal(read('[{"ips": "10.0.0.1"}]'), [{ ...entry, addresses: [] }]);
});

test("a pod without the annotation says none", () => {
  assert.equal(readNetworkStatus(undefined), []);
  assert.equal(readNetworkStatus({}), []);
});

test.run();
