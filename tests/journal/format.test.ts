import { randomUUID } from "node:crypto";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { changesOf, decodeChanges, encodeChanges, releaseBytes } from "../../src/lib/journal/changes.ts";
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
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { Change, PoolID, Reservation } from "../../src/lib/reservations/reservation.ts";
import { Shared } from "../../src/lib/reservations/shared.ts";
import { type Random, seededRandom } from "../random.ts";
import { textOf } from "./story.ts";

const random = seededRandom("format");

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
  for (let round = 0; round < 5000; ) {
    const changes: Change[] = [];
    for (let count = 1 + random.below(4); count > 0; count--, round++) {
      const change = randomChange(random, ledger.snapshot().reservations, round);
      changes.push(change);
      ledger.apply([change]);
    }
    restored.apply(
      decodeChanges(encodeChanges(changes), new Shared()).filter(({ type }) => type !== "exported") as Change[],
    );
  }
  const content = ledger.snapshot();
  assert.ok(content.reservations.length > 500);
  assert.is(textOf(restored.snapshot()), textOf(content));
  const again = new Ledger();
  again.apply(decodeChanges(encodeChanges(changesOf(content)), new Shared()) as Change[]);
  assert.is(textOf(again.snapshot()), textOf(content));
});

test("what is kept for a release is enough for its record", () => {
  const owner = { type: "pod", namespace: "n".repeat(63), name: "p".repeat(253), uid: randomUUID() } as const;
  for (const ip of [
    { family: 4, value: 2n ** 32n - 1n },
    { family: 6, value: 2n ** 128n - 1n },
  ] as const) {
    for (const addresses of [[ip], [ip, ip, ip]]) {
      for (const name of ["p", "p".repeat(253)]) {
        const pool: PoolID = { kind: "CIDRPool", name, uid: randomUUID() };
        const attachment = { containerID: "c".repeat(64), ifname: "net1" };
        const rest = { network: "n", deviceID: "", how: "dynamic", createdAt: new Date().toISOString() } as const;
        const reservation: Reservation = { ...attachment, pool, addresses, owner, ...rest };
        const record = encodeRecord(2 ** 40, "c", encodeChanges([{ type: "release", reservation }]));
        assert.ok(record.length <= releaseBytes(reservation), `${record.length} > ${releaseBytes(reservation)}`);
        assert.ok(record.length > releaseBytes(reservation) - 140);
      }
    }
  }
});

test("the checksum of an export comes back", () => {
  for (const checksum of [0, 1, 0xffffffff]) {
    const change = { type: "exported", checksum } as const;
    assert.equal(decodeChanges(encodeChanges([change]), new Shared()), [change]);
  }
});

test("a body that is none of ours is refused", () => {
  for (const body of ["{}", "[]", "[[],5]", '[[],[["+",0,"c","i",1]]]', '[[],[["?"]]]', "nonsense"]) {
    assert.throws(() => decodeChanges(body, new Shared()), undefined, body);
  }
});

function randomText(random: Random): string {
  const parts = ["a", " ", "@", "\0", "\n", "é", "\u2028", "😀", '"', "\\", "pod-", "\u0010"] as const;
  return Array.from({ length: random.below(12) }, () => random.pick(parts)).join("");
}

function randomChange(random: Random, held: readonly Reservation[], round: number): Change {
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
  const released = held[random.below(held.length)];
  if (kind < 5 && released !== undefined) return { type: "release", reservation: released };
  const isRebuilt = random.below(4) === 0;
  const pod = { type: "pod", namespace: randomText(random), name: randomText(random), uid: `uid ${round}` } as const;
  return {
    type: "reserve",
    reservation: {
      containerID: isRebuilt ? "" : `c${random.below(40)}`,
      ifname: `net${random.below(3)}`,
      pool,
      addresses: Array.from({ length: 1 + random.below(3) }, address),
      owner: !isRebuilt && random.below(3) === 0 ? { type: "none" } : pod,
      network: randomText(random),
      deviceID: randomText(random),
      how: random.pick(["dynamic", "static", "index", "gateway", "adopted"] as const),
      createdAt: `${round}`,
    },
  };
}

test("reservations that are read share their pool, so that thousands of them cost little", () => {
  const shared = new Shared();
  const pools = ["c1", "c2"].flatMap((containerID) => {
    const pool: PoolID = { kind: "IPPool", name: "pool1", uid: "uid-of-pool1" };
    const rest = { network: "n", deviceID: "", how: "dynamic", createdAt: new Date().toISOString() } as const;
    const owner = { type: "none" } as const;
    const addresses = [{ family: 4, value: 1n }] as const;
    const reservation: Reservation = { containerID, ifname: "net1", pool, addresses, owner, ...rest };
    const record = encodeChanges([{ type: "reserve", reservation }]);
    return decodeChanges(record, shared).map((change) => change.type === "reserve" && change.reservation.pool);
  });
  assert.is(pools.length, 2);
  assert.is(pools[0], pools[1]);
});

test.run();
