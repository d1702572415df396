import { test } from "uvu";
import * as assert from "uvu/assert";
import { decodeChanges, encodeChanges, RELEASE_BYTES } from "../../src/lib/journal/changes.ts";
import {
  asciiJson,
  bodyOf,
  encodeRecord,
  FILE_HEADER_BYTES,
  fileHeader,
  RECORD_OVERHEAD,
  readFileHeader,
  scanRecords,
} from "../../src/lib/journal/format.ts";
import { type Entry, toEntry, toReservation } from "../../src/lib/reservations/entry.ts";
import { changesOf, GrowingImage, toSnapshot } from "../../src/lib/reservations/image.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { Change, PoolID, Reservation } from "../../src/lib/reservations/reservation.ts";
import { type Random, seededRandom } from "../random.ts";
import { textOf } from "./story.ts";

const random = seededRandom("format");

const RESERVATION: Reservation = {
  containerID: "c1",
  ifname: "net1",
  pool: { kind: "IPPool", name: "pool1", uid: "uid-of-pool1" },
  addresses: [{ family: 4, value: 1n }],
  owner: { type: "none" },
  network: "n",
  deviceID: "",
  how: "dynamic",
  createdAt: "2026-01-01T00:00:00.000Z",
};

test("a file's first line names its kind and version, and no other", () => {
  for (const kind of ["journal", "snapshot"] as const) {
    for (const version of [1, 2, 0xffffffff]) {
      const header = fileHeader(kind, version);
      assert.is(header.length, FILE_HEADER_BYTES);
      assert.is(readFileHeader(kind, Buffer.concat([header, Buffer.from("more")])), version);
      assert.is(readFileHeader(kind === "journal" ? "snapshot" : "journal", header), undefined);
      for (let at = 0; at < header.length; at++) {
        const flipped = Buffer.from(header);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << random.below(8));
        assert.is(readFileHeader(kind, flipped), undefined, `byte ${at}`);
      }
    }
  }
  assert.is(readFileHeader("journal", Buffer.alloc(0)), undefined);
  assert.is(readFileHeader("journal", Buffer.alloc(100)), undefined);
});

test("records are read as they were written, whatever stands behind them", () => {
  const records = Array.from({ length: 50 }, (_, index) => ({
    sequence: 1 + index * 2 ** 40,
    body: asciiJson(randomText(random)),
  }));
  const bytes = records.map(({ sequence, body }) => encodeRecord(sequence, "c", body));
  for (const [behind, tail] of [
    [Buffer.alloc(0), "clean"],
    [Buffer.alloc(5000), "clean"],
    [Buffer.concat([bytes[0]?.subarray(0, 5) ?? Buffer.alloc(0)], 5000), "torn"],
    [Buffer.from("0123456789".repeat(20)), "damaged"],
  ] as const) {
    const content = Buffer.concat([fileHeader("journal"), ...bytes, behind]);
    const scan = scanRecords(content);
    assert.equal(
      scan.records.map((record) => ({ sequence: record.sequence, body: bodyOf(content, record) })),
      records,
    );
    assert.is(scan.tail, tail);
  }
  assert.is(bytes[0]?.length, RECORD_OVERHEAD + (records[0]?.body.length ?? 0));
});

test("no byte of a record is zero, nor is any one flipped bit away from it", () => {
  const risky = new Set([0, 1, 2, 4, 8, 16, 32, 64, 128]);
  for (let round = 0; round < 500; round++) {
    const text = randomText(random);
    const record = encodeRecord(random.below(2 ** 40), "c", asciiJson({ [text]: [text, random.below(1000)] }));
    assert.not(record.some((byte) => risky.has(byte)));
  }
});

test("any text comes back out of a body", () => {
  for (const text of [" ", "@", "\0", "\n", "\u007f", "é", "\u2028", "😀", "\ud800", '"\\', ""]) {
    assert.is(JSON.parse(asciiJson(text)), text);
  }
});

test("5000 random changes mean to a ledger what they meant before they were written", () => {
  const ledger = new Ledger();
  const restored = new Ledger();
  const image = new GrowingImage();
  for (let round = 0; round < 5000; ) {
    const changes: Change[] = [];
    for (let count = 1 + random.below(4); count > 0; count--, round++) {
      const change = randomChange(random, ledger.image().entries, round);
      changes.push(change);
      ledger.apply([change]);
    }
    const read = decodeChanges(encodeChanges(changes), new Map()) as Change[];
    restored.apply(read);
    image.apply(read);
  }
  const content = ledger.snapshot();
  assert.ok(content.reservations.length > 500);
  assert.is(textOf(restored.snapshot()), textOf(content));
  assert.is(textOf(toSnapshot(image)), textOf(content), "what a start reads");
  const again = new Ledger();
  again.apply(decodeChanges(encodeChanges(changesOf(ledger.image())), new Map()) as Change[]);
  assert.is(textOf(again.snapshot()), textOf(content));
});

test("what is kept for a release is enough for its record", () => {
  for (const place of [0, 60_000, 2 ** 24]) {
    assert.ok(encodeRecord(2 ** 48 - 1, "c", encodeChanges([{ type: "release", place }])).length <= RELEASE_BYTES);
  }
});

test("the checksum of an export comes back", () => {
  for (const checksum of [0, 1, 0xffffffff]) {
    const change = { type: "exported", checksum } as const;
    assert.equal(decodeChanges(encodeChanges([change]), new Map()), [change]);
  }
});

test("a pool without a name comes back: a file of the original can have one", () => {
  const pool = { kind: "IPPool", name: "", uid: "" } as const;
  const change = { type: "cursor", pool, address: { family: 4, value: 1n } } as const;
  assert.equal(decodeChanges(encodeChanges([change]), new Map()), [change]);
});

/** No texts of reservations. */
const NONSENSE = [
  ...["", "c", "c|net1|10.0.0.2", "c|net1|10.0.0.2|t|dynamic|n"],
  ...["|x", "|x|y", "|x|y|z|"].map((more) => `c|net1|10.0.0.2|t|dynamic|n|${more}`),
  ...["", ",", "10.0.0.x", "10.0.0", "10.0.0.256", "010.0.0.1", "10.0.0.2,", ",10.0.0.2", "10.0.0.2,x", "0A", "00"].map(
    (addresses) => `c|net1|${addresses}|t|dynamic|n|`,
  ),
  ...["f".repeat(33), "fd00::1", "::ffff:10.0.0.1"].map((address) => `c|net1|${address}|t|dynamic|n|`),
  ...["", "bogus", "dynamic2", "Static", "10.0.0.2"].map((how) => `c|net1|10.0.0.2|t|${how}|n|`),
  // A release is looked for by the text that it would write.
  ...["c\\", "\\u0041", "\\u00e", "\\u00E9", "@", " ", "\u007f", "é", "\0"].map(
    (id) => `${id}|net1|10.0.0.2|t|dynamic|n|`,
  ),
];

test("a body that is none of ours is refused", () => {
  const pool = "pool|IPPool|pool1|";
  for (const body of [
    ...["{}", "nonsense", ";", "pool|Pod|pool1|", "-", "-x", "-1x", "-99999999", "--1"],
    ...["+0|0|c|net1|10.0.0.2", `${pool};+1|0|c|net1|10.0.0.2`, `${pool};+0|x|c`, `${pool};+|0|c`, `${pool};+0`],
    ...["cursor|0|10.0.0.2", `${pool};cursor|0|10.0.0`, `${pool};cursor|0|`, "config|0|{}"],
    ...[
      "cursor||10.0.0.2",
      "cursor|x|10.0.0.2",
      "cursor|0|0A",
      "cursor|0|10.0.0.2|",
      "config||{}",
      "config|0x0|{}",
    ].map((row) => `${pool};${row}`),
    ...["exported|", "exported|zzz", "exported|-1", "exported|1.5", "exported|4294967296", "exported|1|2|3"],
    ...["pool|IPPool", "pool|IPPool|pool1", "pool|IPPool|pool1|uid|more"],
    `${pool};+0|16777217|c|net1|10.0.0.2|t|dynamic|n|`,
    ...NONSENSE.map((text) => `${pool};+0|1|${text}`),
  ]) {
    assert.throws(() => decodeChanges(body, new Map()), undefined, body);
  }
});

function randomText(random: Random): string {
  const parts = ["a", " ", "@", "\0", "\n", "é", "\u2028", "😀", '"', "\\", "pod-", "\u0010"] as const;
  return Array.from({ length: random.below(12) }, () => random.pick(parts)).join("");
}

function randomChange(random: Random, held: readonly (Entry | undefined)[], round: number): Change {
  const pool: PoolID = {
    kind: random.pick(["IPPool", "CIDRPool"] as const),
    name: `p${random.below(3)}`,
    uid: `u${random.below(2)}`,
  };
  const address = (): Reservation["addresses"][number] =>
    random.below(2) === 0
      ? { family: 4, value: BigInt(random.below(2 ** 32)) }
      : { family: 6, value: (BigInt(random.below(2 ** 32)) << 96n) + BigInt(round) };
  const kind = random.below(10);
  if (kind === 0) return { type: "cursor", pool, address: address() };
  if (kind === 1) return { type: "config", pool, config: randomText(random) };
  const place = random.below(3) === 0 ? random.below(held.length + 2) : held.length;
  if (kind < 5) return { type: "release", place: random.below(held.length + 2) };
  const isRebuilt = random.below(4) === 0;
  const pod = { type: "pod", namespace: randomText(random), name: randomText(random), uid: `uid ${round}` } as const;
  return {
    type: "reserve",
    place,
    entry: toEntry({
      containerID: isRebuilt ? "" : `c${random.below(40)}`,
      ifname: `net${random.below(3)}`,
      pool,
      addresses: Array.from({ length: 1 + random.below(3) }, address),
      owner: !isRebuilt && random.below(3) === 0 ? { type: "none" } : pod,
      network: randomText(random),
      deviceID: randomText(random),
      how: random.pick(["dynamic", "static", "index", "gateway", "adopted"] as const),
      createdAt: `${round}`,
    }),
  };
}

test("reservations that are read share their pool, so that thousands of them cost little", () => {
  const known = new Map();
  const pools = ["c1", "c2"].map((containerID) => {
    const pool: PoolID = { kind: "IPPool", name: "pool1", uid: "uid-of-pool1" };
    const change = { type: "reserve", place: 0, entry: toEntry({ ...RESERVATION, containerID, pool }) } as const;
    const [read] = decodeChanges(encodeChanges([change]), known);
    return read?.type === "reserve" ? read.entry.pool : undefined;
  });
  assert.ok(pools[0] !== undefined);
  assert.is(pools[0], pools[1]);
});

test("of a pool's positions a record has the last one", () => {
  const pool = (name: string): PoolID => ({ kind: "IPPool", name, uid: "" });
  const [one, other] = [pool("one"), pool("other")];
  const cursor = (of: PoolID, value: bigint) => ({ type: "cursor", pool: of, address: { family: 4, value } }) as const;
  const body = encodeChanges([cursor(one, 1n), cursor(other, 2n), { type: "release", place: 3 }, cursor(one, 4n)]);
  assert.equal(decodeChanges(body, new Map()), [cursor(other, 2n), { type: "release", place: 3 }, cursor(one, 4n)]);
});

test("a reservation comes back out of its text, whatever is in its fields", () => {
  for (const text of ["", "|", ";", "\\", "\\u0041", ",", " ", "@", "\0", "\n", "\u007f", "é", "😀", "\ud800", "c\\"]) {
    const owner = { type: "pod", namespace: text, name: text, uid: text } as const;
    const attachment = { containerID: text, ifname: text };
    const reservation = { ...RESERVATION, ...attachment, owner, network: text, deviceID: text, createdAt: text };
    assert.equal(toReservation(toEntry(reservation)), reservation);
    assert.equal(toReservation(toEntry({ ...reservation, owner: { type: "none" } })).owner, { type: "none" });
  }
});

test("addresses come back out of a text, IPv6 ones that look like IPv4 too", () => {
  const addresses = [
    { family: 4, value: 0n },
    { family: 4, value: 2n ** 32n - 1n },
    { family: 6, value: 0n },
    { family: 6, value: 0xffff_0a00_0001n },
    { family: 6, value: 2n ** 128n - 1n },
  ] as const;
  for (const address of addresses)
    assert.equal(toReservation(toEntry({ ...RESERVATION, addresses: [address] })).addresses, [address]);
  assert.equal(toReservation(toEntry({ ...RESERVATION, addresses })).addresses, addresses);
});

test.run();
