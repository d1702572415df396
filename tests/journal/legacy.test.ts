import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import {
  checksumAtStart,
  formatLegacy,
  type LegacyEntry,
  type LegacyPool,
  type LegacyStore,
  parseLegacy,
} from "../../src/lib/journal/legacy.ts";
import { fromLegacy, toLegacy } from "../../src/lib/journal/legacy_content.ts";
import type { LedgerSnapshot, PoolID, PoolRecord, Reservation } from "../../src/lib/reservations/reservation.ts";
import { type Random, seededRandom } from "../random.ts";
import { textOf } from "./story.ts";

const VECTORS = join(import.meta.dirname, "../conformance/vectors/store");
const random = seededRandom("legacy");

function vector(name: string): string {
  return readFileSync(join(VECTORS, name), "utf8");
}

function parsed(text: string): { store: LegacyStore; checksum: number } {
  const result = parseLegacy(text);
  if (!result.ok) throw new Error(result.error.message);
  return result.value;
}

function imported(store: LegacyStore): LedgerSnapshot {
  const content = fromLegacy(store);
  if (!content.ok) throw new Error(content.error.message);
  return content.value;
}

for (const [name, reservations] of [
  ["small.json", 8],
  ["odd-text.json", 9],
  ["many.json", 409],
] as const) {
  test(`${name}, which the original wrote, verifies and is written again byte for byte`, () => {
    const text = vector(name);
    const { store, checksum } = parsed(text);
    assert.is(checksumAtStart(text.slice(0, 64)), checksum);
    assert.is(formatLegacy(store).text, text);
    assert.is(imported(store).reservations.length, reservations);
  });

  test(`${name} keeps all that it says when it is imported and exported again`, () => {
    const { store } = parsed(vector(name));
    const again = parsed(formatLegacy(toLegacy(imported(store))).text).store;
    assert.equal(again, withPresentConfig(store));
  });
}

/** The store does not keep what a pool was like when each of its addresses was given. */
function withPresentConfig(store: LegacyStore): LegacyStore {
  const pools = [...(store ?? [])].map(([key, pool]): [string, LegacyPool] => {
    const entries = [...(pool.entries ?? [])].map(([id, entry]): [string, LegacyEntry] => {
      return [id, { ...entry, metadata: { ...entry.metadata, pool_config_snapshot: pool.last_pool_config } }];
    });
    return [key, { ...pool, entries: new Map(entries) }];
  });
  return new Map(pools);
}

test("odd names come out of the import as they are", () => {
  const { reservations } = imported(parsed(vector("odd-text.json")).store);
  const odd = reservations.find(({ containerID }) => containerID === "c<&>12");
  assert.equal(odd?.owner, { type: "pod", namespace: "default", name: "p<&>\u2028é", uid: "" });
  assert.is(odd?.deviceID, "0000:3b:02.<1>");
  assert.is(odd?.createdAt, "2026-11-22T07:22:02.23150805Z");
  assert.is(odd?.network, "");
  assert.is(odd?.pool.uid, "");
});

test("an address outside the block of its time was asked for by name, and so was the gateway", () => {
  const config = JSON.stringify({ startIP: "10.0.0.1", endIP: "10.0.0.9", gateway: "10.0.0.1" });
  const hows: [string, string, string][] = [
    ["10.0.0.5", config, "dynamic"],
    ["10.0.0.1", config, "gateway"],
    ["10.0.0.77", config, "static"],
    ["10.0.0.77", "no JSON", "dynamic"],
  ];
  for (const [ip, snapshot, how] of hows) {
    const [reservation] = imported(
      storeWith(entry({ ip_address: ip }, { pool_config_snapshot: snapshot })),
    ).reservations;
    assert.is(reservation?.how, how, `${ip} with ${snapshot}`);
  }
});

test("what the original does not know is exported under names of its own and comes back", () => {
  const pool: PoolID = { kind: "IPPool", name: "p", uid: "u" };
  const base = {
    pool,
    ifname: "net1",
    network: "n",
    deviceID: "",
    how: "dynamic",
    createdAt: "2026-01-01T00:00:00Z",
  } as const;
  const address = (last: number) => ({ family: 4, value: 0x0a000000n + BigInt(last) }) as const;
  const content: LedgerSnapshot = {
    pools: [],
    reservations: [
      { ...base, containerID: "plain", addresses: [address(1)], owner: { type: "none" } },
      { ...base, containerID: "three", addresses: [address(2), address(3), address(4)], owner: { type: "none" } },
      {
        ...base,
        containerID: "",
        addresses: [address(5)],
        owner: { type: "pod", namespace: "d", name: "x", uid: "1" },
      },
      {
        ...base,
        containerID: "",
        addresses: [address(6)],
        owner: { type: "pod", namespace: "d", name: "y", uid: "2" },
      },
    ],
  };
  const entries = toLegacy(content)?.get("p")?.entries;
  assert.equal(
    [...(entries ?? [])].map(([key, value]) => [key, value.container_id, value.interface_name, value.ip_address]),
    [
      ["plain_net1", "plain", "net1", "10.0.0.1"],
      ["three_net1", "three", "net1", "10.0.0.2"],
      ["three_net1#2", "three", "net1#2", "10.0.0.3"],
      ["three_net1#3", "three", "net1#3", "10.0.0.4"],
      ["rebuilt-10.0.0.5_net1", "rebuilt-10.0.0.5", "net1", "10.0.0.5"],
      ["rebuilt-10.0.0.6_net1", "rebuilt-10.0.0.6", "net1", "10.0.0.6"],
    ],
  );
  const back = imported(toLegacy(content)).reservations;
  const forgotten = content.reservations.map((reservation) => ({
    ...reservation,
    network: "",
    pool: { ...pool, uid: "" },
  }));
  assert.equal(back, forgotten);
});

test("600 random contents are the same after export and import, and their files verify", () => {
  for (let round = 0; round < 600; round++) {
    const content = randomContent(random);
    const { text, checksum } = formatLegacy(toLegacy(content));
    const again = parsed(text);
    assert.is(again.checksum, checksum);
    assert.is(textOf(imported(again.store)), textOf(content), `round ${round}`);
  }
});

test("halves of surrogate pairs leave a file that the original reads, with an entry for each reservation", () => {
  const owner = { type: "pod", namespace: "\udc00", name: "\ud800", uid: "u" } as const;
  const reservations = ["\ud800", "\ud801", "\udc00"].map((ifname, index): Reservation => {
    const addresses = [{ family: 4, value: 0x0a000001n + BigInt(index) }] as const;
    const rest = { network: "", deviceID: "\ud800", how: "dynamic", createdAt: "2026-01-01T00:00:00Z" } as const;
    return { pool: { kind: "IPPool", name: "p", uid: "" }, containerID: "c", ifname, addresses, owner, ...rest };
  });
  const { store } = parsed(formatLegacy(toLegacy({ reservations, pools: [] })).text);
  const addresses = [...(store?.get("p")?.entries?.values() ?? [])].map(({ ip_address }) => ip_address);
  assert.equal(addresses, ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
});

test("a file whose content was changed does not verify", () => {
  const text = vector("small.json");
  for (let round = 0; round < 200; round++) {
    const digits = [...text.matchAll(/\d/g)];
    const index = digits[random.below(digits.length)]?.index ?? 0;
    const changed =
      text.slice(0, index) + String((Number(text[index]) + 1 + random.below(9)) % 10) + text.slice(index + 1);
    assert.not.ok(parseLegacy(changed).ok, `digit ${index}`);
  }
});

const REFUSED: readonly [what: string, text: string, code: string][] = [
  ["no JSON", "nv-ipam keeps", "syntax"],
  ["nothing", "", "syntax"],
  ["a list", "[]", "syntax"],
  ["pools that are a list", '{"version":1,"checksum":0,"pools":[]}', "syntax"],
  ["a pool that is a number", '{"version":1,"checksum":0,"pools":{"p":5}}', "syntax"],
  [
    "an address that is a number",
    '{"version":1,"checksum":0,"pools":{"p":{"entries":{"a_b":{"ip_address":5}}}}}',
    "syntax",
  ],
  ["another version", '{"version":2,"checksum":0,"pools":{}}', "version"],
  ["no version", '{"checksum":0,"pools":{}}', "version"],
  ["a wrong checksum", '{"version":1,"checksum":1,"pools":{}}', "checksum"],
  ["a checksum that is a text", '{"version":1,"checksum":"1512731210","pools":{}}', "checksum"],
];

for (const [what, text, code] of REFUSED) {
  test(`a file with ${what} is none of the original's`, () => {
    const result = parseLegacy(text);
    assert.is(result.ok ? "" : result.error.code, code);
  });
}

test("the layout of a file is free", () => {
  const { checksum } = formatLegacy(new Map());
  assert.ok(parseLegacy(`{ "pools": { },\n "checksum": ${checksum}, "unknown": [1], "version": 1 }\n`).ok);
  assert.is(parseLegacy('{"version":1,"checksum":0,"pools":null}').ok, false);
  assert.is(formatLegacy(null).text.endsWith('"pools":null}'), true);
});

test("an entry without an address, or with none that can be read, is refused", () => {
  for (const ip of ["", "10.0.0", "10.0.0.1/24"]) {
    const content = fromLegacy(storeWith(entry({ ip_address: ip }, {})));
    assert.match(content.ok ? "" : content.error.message, /is no address/);
  }
});

function entry(part: Partial<LegacyEntry>, metadata: Partial<LegacyEntry["metadata"]>): LegacyEntry {
  return {
    container_id: "c1",
    interface_name: "net1",
    ip_address: "10.0.0.5",
    ...part,
    metadata: {
      create_time: "2026-01-01T00:00:00Z",
      pod_uuid: "",
      pod_name: "",
      pod_namespace: "",
      device_id: "",
      pool_config_snapshot: "",
      ...metadata,
    },
  };
}

function storeWith(only: LegacyEntry): LegacyStore {
  const entries = new Map([[`${only.container_id}_${only.interface_name}`, only]]);
  return new Map([["p", { name: "p", entries, last_pool_config: "", last_reserved_ip: "" }]]);
}

/** Content that the original's file can hold: without network names and pool UIDs, all dynamic, sorted as the file is. */
function randomContent(random: Random): LedgerSnapshot {
  const texts = ["a", "b<&>", 'q"\\/', "é\u2028\u2029", "\n\t\u0001\u007f", "😀￮", "z.y-x", ""] as const;
  const text = (): string => random.pick(texts) + random.pick(texts) + String(random.below(30));
  const reservations: Reservation[] = [];
  const pools: PoolRecord[] = [];
  const names = new Set(Array.from({ length: random.below(4) }, text));
  for (const name of names) {
    const pool: PoolID = { kind: random.pick(["IPPool", "CIDRPool"] as const), name, uid: "" };
    const family = random.pick([4, 6] as const);
    const address = (): Reservation["addresses"][number] => ({
      family,
      value: BigInt(random.below(2 ** 31)) + (family === 6 ? 1n << 120n : 0n),
    });
    const config = random.below(2) === 0 ? {} : { config: JSON.stringify({ text: text() }) };
    pools.push({ pool, ...(random.below(2) === 0 ? {} : { cursor: address() }), ...config });
    const attachments = new Set(Array.from({ length: random.below(5) }, text));
    for (const containerID of attachments) {
      const pod = { type: "pod", namespace: text(), name: text(), uid: text() } as const;
      reservations.push({
        pool,
        containerID: `c${containerID}`,
        ifname: text(),
        addresses: Array.from({ length: 1 + random.below(2) * random.below(4) }, address),
        owner: random.below(3) === 0 ? { type: "none" } : pod,
        network: "",
        deviceID: random.pick(["", "0000:3b:02.1"]),
        how: "dynamic",
        createdAt: `2026-11-22T07:22:01.${1 + random.below(999)}5Z`,
      });
    }
  }
  return { reservations, pools };
}

test.run();
