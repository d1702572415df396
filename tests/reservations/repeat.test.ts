import { test } from "uvu";
import * as assert from "uvu/assert";
import { type DeallocateRequest, Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import type { Reservation } from "../../src/lib/reservations/reservation.ts";
import {
  add,
  attachment,
  contents,
  granted,
  ipPool,
  outcome,
  pod,
  pool1,
  pool2,
  pool6,
  ready,
  refused,
  tiny,
} from "./_pools.ts";

const spec = { subnet: "192.168.0.0/16", perNodeBlockSize: 24, gateway: "192.168.0.9", defaultGateway: true };
const sameBlock = ready(ipPool("pool1", spec, "192.168.0.1-192.168.0.24", {}, "new-uid"));
const movedBlock = ready(ipPool("pool1", spec, "192.168.0.25-192.168.0.48"));

function del(
  ledger: Ledger,
  container: string,
  pools: readonly NodePool[],
  rest: Partial<DeallocateRequest> = {},
): number {
  return ledger.deallocate({
    pools: pools.map(({ id }) => id),
    attachment: attachment(container),
    network: "net-a",
    ...rest,
  });
}

function check(ledger: Ledger, container: string, pools: readonly NodePool[]) {
  return ledger.isAllocated({
    pools: pools.map(({ id }) => id),
    attachment: attachment(container),
    owner: pod(container),
  });
}

test("R4 a repeated ADD gets the same answer and changes nothing", () => {
  const ledger = new Ledger();
  const first = granted(add(ledger, "c1", [pool1, pool6]));
  ledger.takeChanges();
  const second = granted(add(ledger, "c1", [pool1, pool6]));
  assert.equal(
    second.map(({ address }) => address),
    first.map(({ address }) => address),
  );
  assert.ok(second.every(({ isNew }) => !isNew));
  assert.equal(ledger.takeChanges(), []);
});

test("R4 a repeated ADD with the pools in another order answers in that order", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1, pool6]);
  assert.equal(outcome(add(ledger, "c1", [pool6, pool1])), ["fd52:2eb5:44::2", "192.168.0.2"]);
});

test("R4 gateway and routes of a repeated answer are the present pool's", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  const [allocation] = granted(add(ledger, "c1", [sameBlock]));
  assert.is(allocation?.pool, sameBlock);
  assert.is(allocation?.withGateway, true);
});

const repeated: readonly {
  readonly name: string;
  readonly first: Parameters<typeof add>[3];
  readonly second?: Parameters<typeof add>[3];
  readonly pool?: NodePool;
  readonly expected: string | readonly string[];
}[] = [
  {
    name: "asked for by the name that it holds",
    first: {},
    second: { requested: ["192.168.0.2"] },
    expected: ["192.168.0.2"],
  },
  { name: "asked for by another name", first: {}, second: { requested: ["192.168.0.20"] }, expected: "AlreadyExists" },
  {
    name: "asked for by the name of no pool",
    first: {},
    second: { requested: ["10.0.0.1"] },
    expected: "AlreadyExists",
  },
  { name: "given by name, now asked for by none", first: { requested: ["192.168.0.20"] }, expected: ["192.168.0.20"] },
  {
    name: "given dynamically, now asked for as the gateway's",
    first: {},
    second: { choice: { type: "gateway" } },
    expected: "AlreadyExists",
  },
  {
    name: "given as the gateway's, now asked for as that",
    first: { choice: { type: "gateway" } },
    second: { choice: { type: "gateway" } },
    expected: ["192.168.0.1"],
  },
  {
    name: "given by index, now asked for by that index",
    first: { choice: { type: "index", index: 5 } },
    second: { choice: { type: "index", index: 5 } },
    expected: ["192.168.0.6"],
  },
  {
    name: "given by index, now asked for by another",
    first: { choice: { type: "index", index: 5 } },
    second: { choice: { type: "index", index: 6 } },
    expected: "AlreadyExists",
  },
  {
    name: "in the block that the node has under another uid of the pool",
    first: {},
    pool: sameBlock,
    expected: ["192.168.0.2"],
  },
  { name: "in a block that the node has no longer", first: {}, pool: movedBlock, expected: "FailedPrecondition" },
  {
    name: "given by index in a block that the node has no longer",
    first: { choice: { type: "index", index: 5 } },
    pool: movedBlock,
    expected: "FailedPrecondition",
  },
  {
    name: "in a block that the node has no longer, but asked for by name now",
    first: {},
    second: { requested: ["192.168.0.2"] },
    pool: movedBlock,
    expected: ["192.168.0.2"],
  },
  {
    name: "asked for by name then, in a block that the node has no longer",
    first: { requested: ["192.168.0.20"] },
    pool: movedBlock,
    expected: ["192.168.0.20"],
  },
  {
    name: "given as the gateway's, in a block that the node has no longer",
    first: { choice: { type: "gateway" } },
    pool: movedBlock,
    expected: ["192.168.0.1"],
  },
];

for (const { name, first, second, pool = pool1, expected } of repeated) {
  test(`R4 a repeated ADD for an address ${name} gives ${expected}`, () => {
    const ledger = new Ledger();
    granted(add(ledger, "c1", [pool1], first));
    const before = contents(ledger);
    assert.equal(outcome(add(ledger, "c1", [pool], second)), expected);
    assert.equal(contents(ledger), before);
  });
}

test("R4 a repeated answer that is the gateway's own address still carries no gateway", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1], { choice: { type: "gateway" } });
  assert.is(granted(add(ledger, "c1", [pool1]))[0]?.withGateway, false);
});

test("R4 a repeated answer carries no gateway where the gateway's own address is asked for now", () => {
  const ledger = new Ledger();
  assert.is(granted(add(ledger, "c1", [pool1], { requested: ["192.168.0.1"] }))[0]?.withGateway, true);
  assert.is(granted(add(ledger, "c1", [pool1], { choice: { type: "gateway" } }))[0]?.withGateway, false);
});

test("R4 holding an address of some but not all pools is AlreadyExists, and nothing is reserved", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  const before = contents(ledger);
  for (const pools of [
    [pool1, pool6],
    [pool6, pool1],
  ]) {
    refused(add(ledger, "c1", pools), "AlreadyExists", 'IPPool "pool1"', 'IPPool "pool6"', '"c1"');
  }
  assert.equal(contents(ledger), before);
});

test("R4 the refusal for a lost block names the address, the block and the way out", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  const result = add(ledger, "c1", [movedBlock]);
  refused(result, "FailedPrecondition", "192.168.0.2", "192.168.0.25-192.168.0.48", '"pool1"', "DEL");
});

test("R4 DEL frees what the named pools hold, and only that", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1, pool6]);
  add(ledger, "c2", [pool1]);
  assert.is(del(ledger, "c1", [pool1]), 1);
  assert.equal(contents(ledger), [
    "IPPool/pool1 c2/net1 192.168.0.3 dynamic",
    "IPPool/pool6 c1/net1 fd52:2eb5:44::2 dynamic",
  ]);
});

test("R4 DEL of what is unknown frees nothing", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  assert.is(del(ledger, "c9", [pool1]), 0);
  assert.is(del(ledger, "c1", [pool1], { attachment: attachment("c1", "net2") }), 0);
  assert.is(del(ledger, "c1", [pool2], { network: "net-b" }), 0);
  assert.is(ledger.size, 1);
});

test("R4 a second DEL frees nothing more", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  assert.equal([del(ledger, "c1", [pool1]), del(ledger, "c1", [pool1])], [1, 0]);
});

test("R4 DEL names a pool twice and frees it once", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  assert.is(del(ledger, "c1", [pool1, pool1]), 1);
});

test("R4 where the named pools hold nothing, DEL frees what the attachment holds under the same network name", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  add(ledger, "c1", [pool2], { network: "net-b" });
  add(ledger, "c1", [pool1], { ifname: "net2" });
  assert.is(del(ledger, "c1", [tiny]), 1);
  assert.equal(contents(ledger), [
    "IPPool/pool1 c1/net2 192.168.0.3 dynamic",
    "IPPool/pool2 c1/net1 10.10.0.9 dynamic",
  ]);
});

test("R4 what was made without a network name is not freed by another pool's DEL", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1], { network: "" });
  assert.is(del(ledger, "c1", [pool2], { network: "" }), 0);
  assert.is(del(ledger, "c1", [pool2]), 0);
  assert.is(del(ledger, "c1", [pool1]), 1);
});

test("CHECK is good when all named pools hold an address of the attachment, and else names the first that does not", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  assert.ok(check(ledger, "c1", [pool1]).ok);
  refused(check(ledger, "c1", [pool1, tiny]), "NotFound", 'IPPool "tiny"', '"c1"');
  refused(check(ledger, "c2", [pool1]), "NotFound", 'IPPool "pool1"');
  add(ledger, "c1", [tiny]);
  assert.ok(check(ledger, "c1", [tiny, pool1]).ok);
});

test("CHECK is good for an address in a block that the node has no longer", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1]);
  assert.ok(check(ledger, "c1", [movedBlock]).ok);
});

test("GC frees what was made under the network's name for attachments that are not valid any more", () => {
  const ledger = new Ledger();
  for (const container of ["c1", "c2", "c3"]) add(ledger, container, [pool1, pool6]);
  add(ledger, "c1", [pool1], { ifname: "net2" });
  add(ledger, "c4", [pool1], { network: "net-b" });
  add(ledger, "c5", [pool1], { network: "" });
  assert.is(
    ledger.collectGarbage({ network: "net-a", valid: [attachment("c2"), attachment("c1", "net2"), attachment("c9")] }),
    4,
  );
  assert.equal(contents(ledger), [
    "IPPool/pool1 c1/net2 192.168.0.5 dynamic",
    "IPPool/pool1 c2/net1 192.168.0.3 dynamic",
    "IPPool/pool1 c4/net1 192.168.0.6 dynamic",
    "IPPool/pool1 c5/net1 192.168.0.7 dynamic",
    "IPPool/pool6 c2/net1 fd52:2eb5:44::3 dynamic",
  ]);
});

test("GC without a network name frees nothing", () => {
  const ledger = new Ledger();
  add(ledger, "c1", [pool1], { network: "" });
  assert.is(ledger.collectGarbage({ network: "", valid: [] }), 0);
  assert.is(ledger.size, 1);
});

test("GC leaves a reservation without container id alone, even under the network's name", () => {
  const rebuilt: Reservation = {
    ...attachment(""),
    pool: pool1.id,
    addresses: [{ family: 4, value: 0xc0a80002n }],
    owner: pod("c1"),
    network: "net-a",
    deviceID: "",
    how: "adopted",
    createdAt: "",
  };
  const { ledger } = Ledger.load({ reservations: [rebuilt], pools: [] });
  assert.is(ledger.collectGarbage({ network: "net-a", valid: [] }), 0);
});

test("R3 a release frees exactly the reservation that was given, not a later one of the same attachment", () => {
  const ledger = new Ledger();
  const [first] = granted(add(ledger, "c1", [tiny]));
  assert.ok(first);
  if (first === undefined) return;
  del(ledger, "c1", [tiny]);
  add(ledger, "c1", [tiny], { now: 1_800_000_000_000 });
  assert.is(ledger.release([first.reservation]), 0);
  const [second] = granted(add(ledger, "c1", [tiny]));
  assert.is(ledger.release([second?.reservation ?? first.reservation]), 1);
  assert.is(ledger.size, 0);
});

test.run();
