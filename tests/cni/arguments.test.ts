import { test } from "uvu";
import * as assert from "uvu/assert";
import { readArguments } from "../../src/lib/cni/arguments.ts";
import type { CniError } from "../../src/lib/cni/error.ts";

function read(text: string): { args: object; faults: readonly string[] } {
  const faults: CniError[] = [];
  const { podName, podNamespace, podUID, ip } = readArguments(text, faults);
  assert.ok(faults.every(({ code }) => code === 4));
  return { args: { podName, podNamespace, podUID, ip }, faults: faults.map(({ message }) => message) };
}

const NONE = { podName: "", podNamespace: "", podUID: "", ip: "" };

test("the known names are read, others do no harm with IgnoreUnknown", () => {
  const all = "K8S_POD_NAMESPACE=ns;K8S_POD_NAME=p;K8S_POD_UID=u;K8S_POD_INFRA_CONTAINER_ID=i;IP=10.0.0.1";
  const args = { podName: "p", podNamespace: "ns", podUID: "u", ip: "10.0.0.1" };
  assert.equal(read(all), { args, faults: [] });
  assert.equal(read(`COLOUR=blue;${all};IgnoreUnknown=1`), { args, faults: [] });
  assert.equal(read(""), { args: NONE, faults: [] });
});

test("the last of equal names counts, and a value may be empty", () => {
  assert.equal(read("K8S_POD_NAME=a;K8S_POD_NAME=b;IP="), { args: { ...NONE, podName: "b" }, faults: [] });
});

test("IgnoreUnknown is read as Go's CNI library reads it", () => {
  for (const yes of ["1", "true", "TRUE", "True", "tRuE"]) {
    assert.equal(read(`A=b;IgnoreUnknown=${yes}`).faults, [], yes);
  }
  for (const no of ["0", "false", "FALSE"]) {
    assert.equal(read(`IgnoreUnknown=${no};A=b`).faults, [
      'CNI_ARGS holds unknown names: "A"; remove them or add IgnoreUnknown=1',
    ]);
  }
  for (const neither of ["", "t", "yes", "2", " 1"]) {
    assert.equal(read(`IgnoreUnknown=${neither}`).faults, [
      "CNI_ARGS holds an IgnoreUnknown that is none of 1, 0, true and false",
    ]);
  }
});

test("unknown names are a fault without IgnoreUnknown, and all are named", () => {
  assert.equal(read("A=1;K8S_POD_NAME=p;B=2"), {
    args: { ...NONE, podName: "p" },
    faults: ['CNI_ARGS holds unknown names: "A", "B"; remove them or add IgnoreUnknown=1'],
  });
  assert.equal(read("ignoreunknown=1").faults.length, 1);
  assert.equal(read("__proto__=1").faults.length, 1);
});

test("a pair that is not NAME=VALUE is a fault even with IgnoreUnknown", () => {
  for (const text of ["A", "A=b=c", ";", "K8S_POD_NAME=p;"]) {
    const { faults } = read(`IgnoreUnknown=1;${text}`);
    assert.ok(faults.length > 0 && faults.every((fault) => fault.includes("NAME=VALUE")), text);
  }
});

test.run();
