import { test } from "uvu";
import * as assert from "uvu/assert";
import { readEnvironment } from "../../src/lib/cni/environment.ts";

const ALL = {
  CNI_CONTAINERID: "c1",
  CNI_IFNAME: "net1",
  CNI_NETNS: "/run/netns/a",
  CNI_PATH: "/opt/cni/bin",
  CNI_ARGS: "IgnoreUnknown=1",
};

function messageOf(env: Readonly<Record<string, string | undefined>>): string {
  const result = readEnvironment(env);
  if (result.ok) return "ok";
  assert.is(result.error.code, 4);
  return result.error.message;
}

test("a call about an attachment has its container id, interface and CNI_ARGS", () => {
  for (const command of ["ADD", "DEL", "CHECK"]) {
    assert.equal(readEnvironment({ ...ALL, CNI_COMMAND: command }), {
      ok: true,
      value: { command, attachment: { containerID: "c1", ifname: "net1" }, args: "IgnoreUnknown=1" },
    });
  }
});

test("STATUS and GC need no attachment", () => {
  assert.equal(readEnvironment({ CNI_COMMAND: "STATUS" }), { ok: true, value: { command: "STATUS" } });
  assert.equal(readEnvironment({ CNI_COMMAND: "GC", CNI_PATH: "/b" }), { ok: true, value: { command: "GC" } });
});

const REQUIRED: readonly (readonly [command: string, names: readonly string[]])[] = [
  ["ADD", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_PATH"]],
  ["CHECK", ["CNI_CONTAINERID", "CNI_IFNAME", "CNI_NETNS", "CNI_PATH"]],
  ["DEL", ["CNI_CONTAINERID", "CNI_IFNAME"]],
  ["GC", ["CNI_PATH"]],
  ["STATUS", []],
];

for (const [command, names] of REQUIRED) {
  test(`${command} needs ${names.join(", ") || "no other variable"}`, () => {
    for (const name of Object.keys(ALL)) {
      for (const absent of [undefined, ""]) {
        const message = messageOf({ ...ALL, CNI_COMMAND: command, [name]: absent });
        if (names.includes(name)) assert.match(message, name);
        else assert.is(message, "ok");
      }
    }
  });
}

test("all missing variables are named at once", () => {
  assert.match(messageOf({ CNI_COMMAND: "ADD" }), "ADD needs CNI_CONTAINERID, CNI_NETNS, CNI_IFNAME, CNI_PATH in the");
});

test("a missing or unknown command is error 4", () => {
  assert.match(messageOf(ALL), "CNI_COMMAND is missing");
  assert.match(messageOf({ ...ALL, CNI_COMMAND: "" }), "CNI_COMMAND is missing");
  for (const command of ["PLUG", "add", "toString", "__proto__"]) {
    assert.match(messageOf({ ...ALL, CNI_COMMAND: command }), `CNI_COMMAND is "${command}"`);
  }
});

test("container ids are those of the specification", () => {
  for (const id of ["c", "0", "A.b_c-9", "f".repeat(64)]) {
    assert.is(messageOf({ ...ALL, CNI_COMMAND: "ADD", CNI_CONTAINERID: id }), "ok");
  }
  for (const id of [
    "a b",
    " a",
    "a ",
    "../../etc/passwd",
    "a/b",
    ".a",
    "-a",
    "_a",
    "a\n",
    "ä",
    "a;b",
    "a%",
    "\ufffd",
  ]) {
    for (const command of ["ADD", "DEL", "CHECK"]) {
      assert.match(messageOf({ ...ALL, CNI_COMMAND: command, CNI_CONTAINERID: id }), "CNI_CONTAINERID", id);
    }
  }
});

test("interface names are those of the specification", () => {
  for (const name of ["e", "net1", "a".repeat(15), "eth0.100", "...", 'x"y', "ä".repeat(7)]) {
    assert.is(messageOf({ ...ALL, CNI_COMMAND: "ADD", CNI_IFNAME: name }), "ok", name);
  }
  const wrong = [
    "a".repeat(16),
    "ä".repeat(8),
    ".",
    "..",
    "a/b",
    "../a",
    "a:b",
    "a b",
    "a\t",
    "a\u00a0b",
    "a\u0085b",
    "a\ufffdb",
  ];
  for (const name of wrong) {
    for (const command of ["ADD", "DEL", "CHECK"]) {
      assert.match(messageOf({ ...ALL, CNI_COMMAND: command, CNI_IFNAME: name }), "CNI_IFNAME", name);
    }
  }
});

test("a long invalid value is cut in the message", () => {
  assert.ok(messageOf({ ...ALL, CNI_COMMAND: "ADD", CNI_CONTAINERID: " ".repeat(100_000) }).length < 400);
});

test.run();
