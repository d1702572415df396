import { test } from "uvu";
import * as assert from "uvu/assert";
import { CONFIG, status, tell } from "./_plugin.ts";

const KEY = "cni.dev/valid-attachments";

async function gc(list: unknown, answers: object = { CollectGarbage: { released: 3 } }, config: object = CONFIG) {
  const env = { CNI_CONTAINERID: undefined, CNI_IFNAME: undefined, CNI_NETNS: undefined, CNI_ARGS: undefined };
  return tell({ command: "GC", config: { ...config, [KEY]: list }, env, answers: { ...answers } });
}

test("GC gives the daemon the network and its valid attachments, and prints nothing", async () => {
  const { exitCode, stdout, asked, log } = await gc([
    { containerID: "c1", ifname: "net1" },
    { containerID: "c2", ifname: "net2" },
  ]);
  assert.equal([exitCode, stdout], [0, ""]);
  assert.equal(asked[0]?.request, {
    network: "net-a",
    validAttachments: [
      { containerId: "c1", ifname: "net1" },
      { containerId: "c2", ifname: "net2" },
    ],
  });
  assert.match(log.join(""), "[info] GC network=net-a poolType=ippool pools=pool1 released=3 valid=2");
});

test("an empty list is a list: nothing is valid", async () => {
  assert.equal((await gc([])).asked[0]?.request, { network: "net-a", validAttachments: [] });
});

test("without the list nothing is touched", async () => {
  for (const absent of [undefined, null]) {
    const { exitCode, stdout, asked } = await gc(absent);
    assert.equal([exitCode, stdout, asked.length], [0, "", 0]);
  }
});

test("a list that is none is error 7, and nothing is touched", async () => {
  const whole = { containerID: "c1", ifname: "net1" };
  const lists = [{}, "x", 5, true, [1], [null], [{}], [{ containerID: "c1" }], [{ ifname: "net1" }]];
  for (const list of [...lists, [whole, { ...whole, ifname: "" }], [{ ...whole, containerID: 5 }]]) {
    const { answer, asked } = await gc(list);
    assert.is(answer.code, 7);
    assert.match(answer.msg ?? "", KEY);
    assert.equal(asked, []);
  }
  assert.match((await gc([whole, {}])).answer.msg ?? "", "entry 1 has not");
});

test("the original's daemon, which collects nothing, is no error", async () => {
  const { exitCode, log } = await gc([], {});
  assert.is(exitCode, 0);
  assert.match(log.join(""), 'note="the node daemon knows no garbage collection"');
});

test("faults of the config that have nothing to do with the list do not stop GC", async () => {
  const { exitCode, asked } = await gc(
    [],
    { CollectGarbage: { released: 0 } },
    { ...CONFIG, ipam: { poolName: "a,b,c" } },
  );
  assert.is(exitCode, 0);
  assert.is(asked.length, 1);
});

test("GC fails where the daemon does", async () => {
  assert.is((await gc([], { CollectGarbage: status(14, "not yet") })).answer.code, 11);
});

test("GC needs CNI_PATH", async () => {
  const { answer } = await tell({ command: "GC", env: { CNI_PATH: undefined } });
  assert.is(answer.code, 4);
});

test.run();
