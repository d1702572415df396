/** The pools of a directory as a daemon sees them, in this process and with real files. */
import { mkdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import promises from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { poolView } from "../../src/lib/daemon/pool_view.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { ipPool } from "../standalone_daemon.ts";
import { Host } from "./_host.ts";

const test = suite<{ host: Host }>("pool source");
test.before.each((context) => {
  context.host = new Host();
});
test.after.each(async ({ host }) => {
  await host.stop();
  rmSync(host.root, { recursive: true, force: true });
});

const spec = { subnet: "10.0.0.0/24", perNodeBlockSize: 16 };
const first = "pool1 10.0.0.1-10.0.0.16";
/** What says that there shall be no pool. */
const NONE = "apiVersion: v1\nkind: List\nitems: []\n";

test("pools that are added, edited and removed are in force soon after", async ({ host }) => {
  host.write("a.json", ipPool("pool1", spec));
  await host.start();
  await host.serves(first);
  host.write(
    "b.yaml",
    "apiVersion: nv-ipam.nvidia.com/v1alpha1\nkind: IPPool\nmetadata: {name: pool2}\nspec: {subnet: 10.2.0.0/24, perNodeBlockSize: 8}\n",
  );
  await host.serves(first, "pool2 10.2.0.1-10.2.0.8");
  host.write("a.json", ipPool("pool1", { ...spec, gateway: "10.0.0.2" }));
  await host.until(() => [...host.table.all()].some((pool) => poolView(pool, new Ledger()).gateway === "10.0.0.2"));
  assert.equal(host.pools(), [first, "pool2 10.2.0.1-10.2.0.8"]);
  host.remove("b.yaml");
  await host.serves(first);
  await host.logged('"A pool is gone, with its blocks" pool="IPPool/pool2" blocks=1');
  assert.equal(
    host.log.filter((line) => line.includes("This node's block")).map((line) => line.replace(/^.*block" /, "")),
    ['pool="IPPool/pool1" block="10.0.0.1-10.0.0.16"', 'pool="IPPool/pool2" block="10.2.0.1-10.2.0.8"'],
  );
});

const mistakes: readonly [what: string, text: string, message: string][] = [
  [
    "a wrong value",
    "apiVersion: nv-ipam.nvidia.com/v1alpha1\nkind: IPPool\nmetadata:\n  name: pool2\nspec:\n  subnet: 10.2.0.0/24\n  perNodeBlockSize: 0\n",
    "b.yaml:7: spec.perNodeBlockSize: ",
  ],
  ["text that is no YAML", "kind: IPPool\n  x: [\n", "b.yaml:3: is no YAML or JSON: "],
  [
    "a second pool of the kind and name",
    "# second\napiVersion: nv-ipam.nvidia.com/v1alpha1\nkind: IPPool\nmetadata: {name: pool1}\nspec: {subnet: 10.2.0.0/24, perNodeBlockSize: 8}\n",
    "b.yaml:2: metadata.name: IPPool/pool1 is defined in ",
  ],
];
for (const [what, text, message] of mistakes) {
  test(`${what} is told with its place once, and what was in force stays, also over a restart`, async ({ host }) => {
    host.write("a.json", ipPool("pool1", spec));
    await host.start();
    await host.serves(first);
    host.write("b.yaml", text);
    await host.logged(message);
    await host.logged("What was in force before stays in force");
    assert.equal(host.pools(), [first]);
    assert.match(host.table.outdated().join("\n"), message);
    await delay(1000);
    assert.is(host.log.filter((line) => line.includes(message)).length, 1);
    await host.stop();
    await host.start();
    await host.serves(first);
    host.remove("b.yaml");
    await host.logged("The pools' files are accepted again");
    assert.equal([host.pools(), host.table.outdated()], [[first], []]);
  });
}

test("R11 pools are not known while there never was a reading without a mistake", async ({ host }) => {
  host.write("a.yaml", "kind: IPPool");
  await host.start();
  await host.logged("a.yaml:1: ");
  assert.match(host.table.missing("IPPool") ?? "", /^the IPPools are not known yet: .*a\.yaml:1: .+/);
  host.remove("a.yaml");
  await host.serves();
  assert.equal([host.table.missing("CIDRPool"), host.table.outdated()], [undefined, []]);
});

test("a directory that is missing is told once, and taken up when it comes", async ({ host }) => {
  rmSync(host.directory, { recursive: true });
  await host.start();
  await host.logged(`${host.directory}: cannot be read: ENOENT`);
  await delay(1000);
  assert.is(host.log.filter((line) => line.includes("ENOENT")).length, 1);
  assert.not.ok(host.table.known("IPPool"));
  mkdirSync(host.directory);
  host.write("a.json", ipPool("pool1", spec));
  await host.serves(first);
});

test("a manifest that is being written is read when it is whole", async ({ host }) => {
  const line = (name: string, third: number): string =>
    `${JSON.stringify(ipPool(name, { subnet: `10.${third}.0.0/24`, perNodeBlockSize: 16 }))}\n---\n`;
  host.write("a.yaml", line("pool0", 0) + line("pool1", 1));
  await host.start();
  await host.serves("pool0 10.0.0.1-10.0.0.16", "pool1 10.1.0.1-10.1.0.16");
  // What stands there meanwhile is a valid manifest each time, but the second pool is missing.
  for (let count = 0; count < 20; count++) {
    host.write("a.yaml", line("pool0", 0) + "#".repeat(count));
    await delay(100);
  }
  host.write("a.yaml", line("pool0", 0) + line("pool1", 1));
  await delay(1000);
  assert.not.ok(host.log.some((text) => text.includes("A pool is gone")));
});

test("what is written while the manifests are read is not taken for whole", async ({ host }) => {
  const { open } = promises;
  const parts = ["pool0", "pool1"].map((name, n) =>
    JSON.stringify(ipPool(name, { subnet: `10.${n}.0.0/24`, perNodeBlockSize: 16 })),
  );
  let opened = 0;
  try {
    promises.open = (path, ...more) => {
      if (String(path).endsWith("a.yaml")) opened += 1;
      // From the second reading on the first pool alone stands there, for as long as reading takes.
      if (opened === 2) host.write("a.yaml", parts[0]);
      return open(path, ...more);
    };
    syncBuiltinESMExports();
    host.write("a.yaml", parts.join("\n---\n"));
    await host.start();
    await host.serves("pool0 10.0.0.1-10.0.0.16", "pool1 10.1.0.1-10.1.0.16");
    utimesSync(join(host.directory, "a.yaml"), 1, 1);
    await host.until(() => opened === 2);
    host.write("a.yaml", parts.join("\n---\n"));
    await host.until(() => opened === 3);
  } finally {
    promises.open = open;
    syncBuiltinESMExports();
  }
  assert.not.ok(host.log.some((text) => text.includes("A pool is gone")));
});

test("a directory whose looks take long is looked at less often", async ({ host }) => {
  const { readdir } = promises;
  const looks: number[] = [];
  try {
    promises.readdir = (async (path: string) => {
      if (path === host.directory) looks.push(performance.now());
      await delay(100);
      return readdir(path);
    }) as typeof readdir;
    syncBuiltinESMExports();
    await host.start();
    // The first look is followed by a reading and a look after it.
    await host.until(() => looks.length === 4);
  } finally {
    promises.readdir = readdir;
    syncBuiltinESMExports();
  }
  const [, , before = 0, after = 0] = looks;
  assert.ok(after - before >= 1900, `${after - before} ms`);
});

test("R7 the nodes' file: the next block for a new node, a rest for the block of one that is gone", async ({
  host,
}) => {
  host.write("a.json", ipPool("pool1", spec));
  await host.start({ nodes: ["node-1", "b"], releaseDelayMs: 2000 });
  await host.serves(first);
  assert.equal(host.blocks(), ["b 10.0.0.17", "node-1 10.0.0.1"]);
  host.nodes("node-1", "b", "a");
  await host.until(() => host.blocks().includes("a 10.0.0.33"));
  host.nodes("node-1", "a", "c");
  await host.until(() => host.blocks().join() === "a 10.0.0.33,c 10.0.0.49,node-1 10.0.0.1");
  host.nodes("node-1", "a");
  await host.until(() => JSON.parse(readFileSync(host.stateFile, "utf8")).pools[0].status.released?.length === 2);
  // Nothing but time makes the rests end.
  await host.until(() => JSON.parse(readFileSync(host.stateFile, "utf8")).pools[0].status.released === undefined);
  host.nodes("node-1", "a", "d");
  await host.until(() => host.blocks().includes("d 10.0.0.17"));
});

test("a node that is not in the nodes' file has no block, and is told so", async ({ host }) => {
  host.write("a.json", ipPool("pool1", spec));
  await host.start({ nodes: ["other"] });
  await host.serves("pool1 -");
  await host.logged("This node is not in the nodes' file");
  host.nodes("other", "node-1");
  await host.serves("pool1 10.0.0.17-10.0.0.32");
});

test("nodeSelectors choose by the labels of the nodes' file", async ({ host }) => {
  const nodeSelector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "rack", operator: "Exists" }] }] };
  host.write("a.json", ipPool("pool1", { ...spec, nodeSelector }));
  await host.start({ nodes: ["a", "node-1"] });
  await host.serves("pool1 -");
  host.nodes("a", { name: "node-1", labels: { rack: "7" } });
  await host.serves(first);
});

for (const [what, content, message] of [
  ["a mistake", '[{"name": "A_"}]', "nodes.yaml: entry 1 is no node"],
  ["no node", "[]", "nodes.yaml: lists no node"],
] as const) {
  test(`R5 a nodes' file with ${what} takes no block from anybody`, async ({ host }) => {
    host.write("a.json", ipPool("pool1", spec));
    await host.start({ nodes: ["node-1", "b"] });
    await host.serves(first);
    writeFileSync(host.nodesFile, content);
    await host.logged(message);
    await host.stop();
    await host.start();
    await host.serves(first);
    assert.equal(host.blocks(), ["b 10.0.0.17", "node-1 10.0.0.1"]);
  });
}

test("R5 an edit of the division is told, and the pool is served as before and says so", async ({ host }) => {
  host.write("a.json", ipPool("pool1", spec));
  await host.start();
  await host.serves(first);
  host.write("a.json", ipPool("pool1", { ...spec, perNodeBlockSize: 100 }));
  await host.logged(/reason="WouldMoveBlocks"/);
  assert.equal(host.pools(), [first]);
  const problems = () => [...host.table.all()].map((pool) => poolView(pool, new Ledger()).problem);
  assert.match(problems()[0] ?? "", "it would move blocks that nodes have: node-1 10.0.0.1-10.0.0.16");
  host.write("a.json", ipPool("pool1", spec));
  await host.until(() => problems()[0] === "");
});

test("R2 a pool that is removed and comes back is another one", async ({ host }) => {
  const uid = () => [...host.table.all()][0]?.onNode.id.uid;
  host.write("a.json", ipPool("pool1", spec));
  await host.start();
  await host.serves(first);
  const before = uid();
  await host.stop();
  await host.start();
  await host.serves(first);
  assert.is(uid(), before);
  host.write("a.json", NONE);
  await host.serves();
  await host.logged('"A pool is gone, with its blocks" pool="IPPool/pool1" blocks=1');
  host.write("a.json", ipPool("pool1", spec));
  await host.serves(first);
  assert.is.not(uid(), before);
});

test("a state that cannot be written keeps what is served, and is tried again", async ({ host }) => {
  host.write("a.json", ipPool("pool1", spec));
  await host.start();
  await host.serves(first);
  const state = readFileSync(host.stateFile);
  rmSync(host.stateFile);
  // No file can be renamed onto a directory.
  mkdirSync(host.stateFile);
  host.write("b.json", ipPool("pool2", { ...spec, subnet: "10.2.0.0/24" }));
  await host.logged(`${host.stateFile}: cannot be written: EISDIR`);
  assert.equal(host.pools(), [first]);
  rmSync(host.stateFile, { recursive: true });
  writeFileSync(host.stateFile, state);
  await host.serves(first, "pool2 10.2.0.1-10.2.0.16");
});

const losses: readonly [what: string, lose: (host: Host) => void, message: string][] = [
  ["an empty directory", (host) => host.remove("a.yaml"), "pools: holds no pool; if there shall be none, write"],
  ["an empty file", (host) => host.write("a.yaml", ""), "a.yaml:1: is empty; "],
  ["nothing but comments", (host) => host.write("a.yaml", "# pools of site A\n"), "pools: holds no pool; "],
];
for (const [what, lose, message] of losses) {
  for (const isAtStart of [false, true]) {
    test(`R2 ${what} ${isAtStart ? "at the start" : "while it runs"} takes no block`, async ({ host }) => {
      const uids = () => [...host.table.all()].map((pool) => pool.onNode.id.uid);
      const text = JSON.stringify(ipPool("pool1", spec));
      host.write("a.yaml", text);
      await host.start({ nodes: ["b", "node-1"] });
      await host.serves("pool1 10.0.0.17-10.0.0.32");
      const before = uids();
      if (isAtStart) {
        await host.stop();
        // Only what was dealt before tells the node's block: it would be the first one now.
        host.nodes("node-1", "c");
      }
      lose(host);
      if (isAtStart) await host.start();
      await host.logged(message);
      assert.match(host.table.outdated().join("\n"), message);
      assert.equal(host.pools(), ["pool1 10.0.0.17-10.0.0.32"]);
      host.write("a.yaml", text);
      await host.logged("The pools' files are accepted again");
      assert.equal([host.pools(), uids()], [["pool1 10.0.0.17-10.0.0.32"], before]);
    });
  }
}

test("R2 an empty file among others takes no block of the pools that were in it", async ({ host }) => {
  host.write("a.json", ipPool("pool1", spec));
  host.write("b.json", ipPool("pool2", { ...spec, subnet: "10.2.0.0/24" }));
  await host.start();
  await host.serves(first, "pool2 10.2.0.1-10.2.0.16");
  host.write("b.json", "\n");
  await host.logged("b.json:1: is empty; write it, or delete it if its pools shall go");
  assert.equal(host.pools(), [first, "pool2 10.2.0.1-10.2.0.16"]);
});

test("an empty directory on a host that never had a pool is no mistake", async ({ host }) => {
  await host.start();
  await host.serves();
  await host.stop();
  await host.start();
  await host.serves();
  assert.equal([host.table.outdated(), host.log], [[], []]);
});

test("what differs from the state at the start is read when two looks find the same, too", async ({ host }) => {
  const parts = ["pool0", "pool1"].map((name, n) =>
    JSON.stringify(ipPool(name, { subnet: `10.${n}.0.0/24`, perNodeBlockSize: 16 })),
  );
  host.write("a.yaml", parts.join("\n---\n"));
  await host.start();
  await host.serves("pool0 10.0.0.1-10.0.0.16", "pool1 10.1.0.1-10.1.0.16");
  await host.stop();
  host.write("a.yaml", parts[0]);
  await host.start();
  await delay(200);
  // Before it is known what is right nothing is served.
  assert.not.ok(host.table.known("IPPool"));
  host.write("a.yaml", parts.join("\n---\n"));
  await host.serves("pool0 10.0.0.1-10.0.0.16", "pool1 10.1.0.1-10.1.0.16");
  assert.not.ok(host.log.some((text) => text.includes("A pool is gone")));
});

test("R2 a state file that is damaged is not gone on without", async ({ host }) => {
  host.write("a.json", ipPool("pool1", spec));
  await host.start();
  await host.serves(first);
  await host.stop();
  writeFileSync(host.stateFile, readFileSync(host.stateFile, "utf8").replace("10.0.0.1", "10.0.0.2"));
  let message = "";
  await host.start().catch((error: Error) => {
    message = error.message;
  });
  assert.match(message, `${host.stateFile}: is damaged; restore it from a backup, or move it away`);
});

test.run();
