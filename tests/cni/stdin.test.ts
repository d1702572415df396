/** Network configs that cannot be used at all. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { SUPPORTED_VERSIONS } from "../../src/lib/cni/version.ts";
import { CONFIG, type Story, tell } from "./_plugin.ts";

const COMMANDS = ["ADD", "DEL", "CHECK", "STATUS", "GC"];

async function refusal(story: Story): Promise<{ cniVersion?: string; code?: number; msg: string }> {
  const told = await tell(story);
  assert.is(told.exitCode, 1, told.stdout);
  assert.equal(told.asked, []);
  const { cniVersion, code, msg = "" } = told.answer;
  return { ...(cniVersion === undefined ? {} : { cniVersion }), ...(code === undefined ? {} : { code }), msg };
}

const UNREADABLE: readonly (readonly [what: string, stdin: string | Uint8Array, message: string])[] = [
  ["broken JSON", '{"cniVersion": "1.0.0", ', "is not JSON: "],
  ["nothing", "", "is not JSON: "],
  ["two objects", "{}{}", "is not JSON: "],
  ["a byte order mark", `\ufeff${JSON.stringify(CONFIG)}`, "is not JSON: "],
  ["a list", "[]", "is not a JSON object"],
  ["a text", '"net-a"', "is not a JSON object"],
  ["null", "null", "is not a JSON object"],
  ["invalid UTF-8", Buffer.from('{"cniVersion":"1.0.0","name":"a\xff"}', "latin1"), "is not UTF-8"],
  ["UTF-8 cut short", Buffer.from('{"name":"\xe2\x82"}', "latin1"), "is not UTF-8"],
  ["UTF-16", Buffer.from(JSON.stringify(CONFIG), "utf16le"), "is not JSON: "],
  ["brackets without end", "[".repeat(100_000), "is not JSON: "],
];

for (const [what, stdin, message] of UNREADABLE) {
  test(`${what} on stdin is error 6 for each command, in the newest version`, async () => {
    for (const command of COMMANDS) {
      const { cniVersion, code, msg } = await refusal({ command, stdin });
      assert.equal([cniVersion, code], ["1.1.0", 6], command);
      assert.match(msg, `the network config on stdin ${message}`);
    }
  });
}

test("a missing network name is error 7", async () => {
  for (const name of [undefined, "", null]) {
    const { code, msg } = await refusal({ config: { ...CONFIG, name } });
    assert.equal([code, msg], [7, "name is missing in the network config"]);
  }
});

test("a network name that the specification does not allow is error 7", async () => {
  for (const name of ["../../etc", "a/b", "a b", ".a", "-a", "ä", "a\n", "a;b", 5, {}, ["a"]]) {
    for (const command of COMMANDS) {
      const { code, msg } = await refusal({ command, config: { ...CONFIG, name } });
      assert.is(code, 7);
      assert.match(msg, "of the network config must be a text");
    }
  }
});

test("a cniVersion that is not supported is error 1, with the supported ones", async () => {
  for (const cniVersion of ["9.9", "2.0.0", "9.9.9", "0.3", "1.0", "v1.0.0", "1.0.0 ", "abc"]) {
    for (const command of ["ADD", "DEL"]) {
      const told = await tell({ command, config: { ...CONFIG, cniVersion } });
      assert.equal([told.exitCode, told.answer.code, told.answer.cniVersion], [1, 1, "1.1.0"]);
      assert.match(told.answer.msg ?? "", JSON.stringify(cniVersion));
      assert.is(told.answer.details, `supported versions: ${SUPPORTED_VERSIONS.join(", ")}`);
    }
  }
});

test("a cniVersion of another type is error 6", async () => {
  for (const cniVersion of [1, true, {}, []]) {
    assert.equal(await refusal({ config: { ...CONFIG, cniVersion } }), {
      cniVersion: "1.1.0",
      code: 6,
      msg: "cniVersion of the network config must be a string",
    });
  }
});

test("without a cniVersion, or with an empty one, the config is one of 0.1.0", async () => {
  for (const cniVersion of [undefined, null, ""]) {
    const told = await tell({ config: { ...CONFIG, cniVersion } });
    assert.is(told.answer.cniVersion, "0.1.0");
    assert.ok("ip4" in told.answer);
  }
});

test("CHECK, STATUS and GC of a config that is too old for them are error 1", async () => {
  const since = { CHECK: "0.4.0", STATUS: "1.1.0", GC: "1.1.0" } as const;
  for (const [command, first] of Object.entries(since)) {
    for (const cniVersion of SUPPORTED_VERSIONS.slice(0, SUPPORTED_VERSIONS.indexOf(first))) {
      assert.equal(await refusal({ command, config: { ...CONFIG, cniVersion } }), {
        cniVersion,
        code: 1,
        msg: `${command} needs cniVersion ${first} or later; the network config has ${cniVersion}`,
      });
    }
  }
});

test("errors are answered in the config's version, the environment's too", async () => {
  for (const cniVersion of SUPPORTED_VERSIONS) {
    const config = { ...CONFIG, cniVersion };
    assert.is((await refusal({ config: { ...config, name: "" } })).cniVersion, cniVersion);
    assert.is((await refusal({ config, env: { CNI_IFNAME: undefined } })).cniVersion, cniVersion);
    assert.is((await refusal({ config: { ...config, ipam: undefined } })).cniVersion, cniVersion);
  }
});

test("a fault of the environment is told before one of the config", async () => {
  assert.is((await refusal({ stdin: "", env: { CNI_IFNAME: undefined } })).code, 4);
});

test.run();
