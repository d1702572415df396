/** R1 within one attachment: two pools that share addresses never give the same one twice in an answer. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import type { NodePool } from "../../src/lib/reservations/pool.ts";
import { add, contents, granted, ipPool, outcome, ready, rebuilt, refused } from "./_pools.ts";

function pool(name: string, block: string, gateway?: string): NodePool {
  const spec = { subnet: "10.0.0.0/24", perNodeBlockSize: 4, ...(gateway !== undefined && { gateway }) };
  return ready(ipPool(name, spec, block));
}

const one = pool("one", "10.0.0.1-10.0.0.4");
const two = pool("two", "10.0.0.1-10.0.0.4");
const narrow = ready(ipPool("narrow", { subnet: "10.0.0.0/29", perNodeBlockSize: 2 }, "10.0.0.1-10.0.0.2"));
const single = pool("single", "10.0.0.1-10.0.0.1");
const gated = pool("gated", "10.0.0.1-10.0.0.4", "10.0.0.1");
const gatedToo = pool("gated-too", "10.0.0.1-10.0.0.4", "10.0.0.1");

const answers: readonly [what: string, pools: readonly NodePool[], requested: string[], expected: string[]][] = [
  ["the second pool gives its next address", [one, two], [], ["10.0.0.1", "10.0.0.2"]],
  ["both addresses by name are given", [one, two], ["10.0.0.3", "10.0.0.1"], ["10.0.0.3", "10.0.0.1"]],
  ["one by name is not given by the other in turn", [one, two], ["10.0.0.1"], ["10.0.0.1", "10.0.0.2"]],
  [
    "one by name of the wider network is not given by the narrower",
    [narrow, two],
    ["10.0.0.9"],
    ["10.0.0.1", "10.0.0.9"],
  ],
];
for (const [what, pools, requested, expected] of answers) {
  test(`R1 of two pools that overlap, ${what}`, () => {
    assert.equal(outcome(add(new Ledger(), "c1", pools, { requested })), expected);
  });
}

test("R1 two pools that share their only address are refused and nothing is reserved", () => {
  const ledger = new Ledger();
  const given = add(ledger, "c1", [single, pool("lone", "10.0.0.1-10.0.0.1")]);
  refused(given, "ResourceExhausted", 'IPPool "lone"', 'IPPool "single"', "its only usable address");
  assert.equal(contents(ledger), []);
});

test("R1 a pool whose only free address is the other pool's is refused with both names", () => {
  const ledger = new Ledger();
  for (const container of ["c2", "c3", "c4"]) granted(add(ledger, container, [one]));
  for (const container of ["c5", "c6", "c7"]) granted(add(ledger, container, [two]));
  const given = add(ledger, "c1", [one, two]);
  refused(given, "ResourceExhausted", 'IPPool "two"', "but 10.0.0.4", 'IPPool "one"');
});

for (const choice of [{ type: "gateway" }, { type: "index", index: 1 }] as const) {
  test(`R1 one ${choice.type} of two pools that overlap is refused`, () => {
    const ledger = new Ledger();
    const given = add(ledger, "c1", [gated, gatedToo], { choice });
    refused(given, "InvalidArgument", 'IPPool "gated"', 'IPPool "gated-too"', "twice");
    assert.equal(contents(ledger), []);
  });
}

test("R1 an earlier sandbox's address is not taken over where the other pool gives it", () => {
  const old = { ...rebuilt(two, "c1", "10.0.0.1"), containerID: "old" };
  const ledger = () => {
    const { ledger } = Ledger.load({ reservations: [old], pools: [] });
    for (const container of ["c2", "c3", "c4"]) granted(add(ledger, container, [two]));
    return ledger;
  };
  assert.equal(outcome(add(ledger(), "c1", [two])), ["10.0.0.1"]);
  refused(add(ledger(), "c1", [one, two]), "ResourceExhausted", 'IPPool "two"', "but 10.0.0.1");
});

test.run();
