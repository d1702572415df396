/** Pools from YAML and JSON texts, and problems that say where they are. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { duplicatePools, formatManifestProblem, parseManifests } from "../../src/lib/api/manifests.ts";
import { announceSeed, randomFrom } from "../ip/_seed.ts";

const IPPOOL = `apiVersion: nv-ipam.nvidia.com/v1alpha1
kind: IPPool
metadata:
  name: pool1
spec:
  subnet: 192.168.0.0/16
  perNodeBlockSize: 100
  gateway: 192.168.0.1
  exclusions: # optional
  - startIP: 192.168.0.10
    endIP: 192.168.0.20
`;
const CIDRPOOL = `apiVersion: nv-ipam.nvidia.com/v1alpha1
kind: CIDRPool
metadata: {name: pool1}
spec: {cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24}
`;

function problems(text: string): readonly string[] {
  return parseManifests(text, "pools.yaml").problems.map(formatManifestProblem);
}

function pools(text: string): readonly string[] {
  return parseManifests(text, "pools.yaml").pools.map(
    ({ pool, file, line }) => `${file}:${line} ${pool.kind}/${pool.metadata.name}`,
  );
}

const READABLE: readonly (readonly [what: string, text: string, pools: readonly string[]])[] = [
  ["one document", IPPOOL, ["pools.yaml:1 IPPool/pool1"]],
  ["two documents", `${IPPOOL}---\n${CIDRPOOL}`, ["pools.yaml:1 IPPool/pool1", "pools.yaml:13 CIDRPool/pool1"]],
  ["empty documents between", `---\n---\n# nothing\n---\n${CIDRPOOL}---\n`, ["pools.yaml:5 CIDRPool/pool1"]],
  [
    "JSON",
    JSON.stringify(
      {
        apiVersion: "nv-ipam.nvidia.com/v1alpha1",
        kind: "CIDRPool",
        metadata: { name: "a" },
        spec: { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24 },
      },
      null,
      2,
    ),
    ["pools.yaml:1 CIDRPool/a"],
  ],
  [
    "a List",
    `apiVersion: v1\nkind: List\nitems:\n- ${indent(IPPOOL)}- ${indent(CIDRPOOL)}`,
    ["pools.yaml:4 IPPool/pool1", "pools.yaml:15 CIDRPool/pool1"],
  ],
  [
    "an IPPoolList",
    `apiVersion: nv-ipam.nvidia.com/v1alpha1\nkind: IPPoolList\nitems:\n- ${indent(IPPOOL)}`,
    ["pools.yaml:4 IPPool/pool1"],
  ],
  ["an empty List", "apiVersion: v1\nkind: List\nitems: []\n", []],
  [
    "objects of other groups",
    `apiVersion: v1\nkind: Namespace\nmetadata: {name: x}\n---\n${CIDRPOOL}`,
    ["pools.yaml:5 CIDRPool/pool1"],
  ],
  [
    "an anchor and a merge",
    `${IPPOOL.replace("spec:", "spec: &s")}---\n${IPPOOL.replace("pool1", "pool2").replace(/spec:[\s\S]*/, "spec: {subnet: &n 10.0.0.0/8, perNodeBlockSize: 8, routes: [{dst: *n}], gateway: 10.0.0.1}")}`,
    ["pools.yaml:1 IPPool/pool1", "pools.yaml:13 IPPool/pool2"],
  ],
  ["Windows line ends", CIDRPOOL.replaceAll("\n", "\r\n"), ["pools.yaml:1 CIDRPool/pool1"]],
  ["a byte order mark", `\uFEFF${CIDRPOOL}`, ["pools.yaml:1 CIDRPool/pool1"]],
  ["nothing", "", []],
  ["a comment", "# nothing\n", []],
];

for (const [what, text, expected] of READABLE) {
  test(`${what} is read`, () => {
    assert.equal(problems(text), []);
    assert.equal(pools(text), expected);
  });
}

const WRONG: readonly (readonly [what: string, text: string, problems: readonly string[]])[] = [
  [
    "a wrong value",
    IPPOOL.replace("100", "0"),
    ["pools.yaml:7: spec.perNodeBlockSize: Invalid value: 0: must be at least 1"],
  ],
  [
    "a wrong type",
    IPPOOL.replace("100", '"100"'),
    [
      'pools.yaml:7: spec.perNodeBlockSize: Invalid value: "100": must be an integer of at most 9007199254740991 (2^53 - 1)',
    ],
  ],
  [
    "a wrong value in a list",
    IPPOOL.replace("192.168.0.20", "192.169.0.20"),
    ['pools.yaml:11: spec.exclusions[0].endIP: Invalid value: "192.169.0.20": must be an address of 192.168.0.0/16'],
  ],
  [
    "a missing member",
    IPPOOL.replace("    endIP: 192.168.0.20\n", ""),
    [
      "pools.yaml:10: spec.exclusions[0].endIP: Required value: the last address of the range, which may be the first one",
    ],
  ],
  [
    "a misspelt optional member",
    IPPOOL.replace("exclusions:", "exclusion:"),
    [
      "pools.yaml:10: spec.exclusion: there is no such field; known are subnet, perNodeBlockSize, gateway, exclusions, " +
        "perNodeExclusions, nodeSelector, defaultGateway, defautGateway, routes",
    ],
  ],
  [
    "labels where a selector's terms belong",
    `${IPPOOL}  nodeSelector:\n    matchLabels: {role: worker}\n`,
    [
      "pools.yaml:13: spec.nodeSelector.matchLabels: there is no such field; known are nodeSelectorTerms",
      "pools.yaml:13: spec.nodeSelector.nodeSelectorTerms: Required value: at least one term; leave nodeSelector out to choose every node",
    ],
  ],
  [
    "a member too many in a list",
    IPPOOL.replace("    endIP", "    ip: 192.168.0.15\n    endIP"),
    ["pools.yaml:11: spec.exclusions[0].ip: there is no such field; known are startIP, endIP"],
  ],
  [
    "a missing spec",
    IPPOOL.replace(/spec:[\s\S]*/, ""),
    ["pools.yaml:1: spec: Required value: the pool's configuration"],
  ],
  [
    "a name that is a number",
    IPPOOL.replace("pool1", "123"),
    ["pools.yaml:4: metadata.name: Invalid value: 123: must be a string; quote it"],
  ],
  [
    "a misspelt kind",
    IPPOOL.replace("IPPool", "IPPol"),
    ['pools.yaml:2: kind: Invalid value: "IPPol": must be IPPool or CIDRPool'],
  ],
  [
    "another version",
    IPPOOL.replace("v1alpha1", "v2"),
    ['pools.yaml:1: apiVersion: Invalid value: "nv-ipam.nvidia.com/v2": must be nv-ipam.nvidia.com/v1alpha1'],
  ],
  [
    "the wrong group of a right kind",
    IPPOOL.replace("nv-ipam.nvidia.com/v1alpha1", "v1"),
    ['pools.yaml:1: apiVersion: Invalid value: "v1": must be nv-ipam.nvidia.com/v1alpha1'],
  ],
  [
    "neither kind nor version",
    "subnet: 10.0.0.0/8\n",
    [
      "pools.yaml:1: apiVersion: Required value: nv-ipam.nvidia.com/v1alpha1",
      "pools.yaml:1: kind: Required value: IPPool or CIDRPool",
      "pools.yaml:1: metadata: Required value: an object with the pool's name",
    ],
  ],
  ["a text", "hello\n", ['pools.yaml:1: Invalid value: "hello": must be an object']],
  [
    "the second document",
    `${CIDRPOOL}---\n${IPPOOL.replace("/16", "")}`,
    [
      'pools.yaml:11: spec.subnet: Invalid value: "192.168.0.0": must be a network in CIDR notation, such as 192.168.0.0/16',
    ],
  ],
  [
    "the second item of a List",
    `apiVersion: v1\nkind: List\nitems:\n- ${indent(CIDRPOOL)}- ${indent(IPPOOL.replace("/16", ""))}`,
    [
      'pools.yaml:13: spec.subnet: Invalid value: "192.168.0.0": must be a network in CIDR notation, such as 192.168.0.0/16',
    ],
  ],
  ["a tab", "apiVersion: v1\n\tkind: x\n", ["pools.yaml:2: is no YAML or JSON: Tabs are not allowed as indentation"]],
  ["a member twice", `${CIDRPOOL}kind: IPPool\n`, ["pools.yaml:5: is no YAML or JSON: Map keys must be unique"]],
];

for (const [what, text, expected] of WRONG) {
  test(`${what} is reported with its line`, () => assert.equal(problems(text), expected));
}

test("a good pool beside a bad one is still read", () => {
  const { pools: found, problems: wrong } = parseManifests(`${CIDRPOOL}---\n${IPPOOL.replace("100", "0")}`, "a.yaml");
  assert.is(found.length, 1);
  assert.is(wrong.length, 1);
});

test("what is legal but odd is a warning with its line", () => {
  const { warnings } = parseManifests(`${IPPOOL}  defautGateway: true\n`, "a.yaml");
  assert.equal(warnings.map(formatManifestProblem), [
    "a.yaml:12: spec.defautGateway: is deprecated, a misspelling of defaultGateway; it is taken for defaultGateway",
  ]);
});

test("a List without items says that there is none, and nothing else does", () => {
  const saysNone = (text: string) => parseManifests(text, "a.yaml").saysNone;
  for (const kind of ["List", "IPPoolList"]) assert.ok(saysNone(`apiVersion: v1\nkind: ${kind}\nitems: []\n`));
  for (const text of ["", "# none\n", "kind: ConfigMap\napiVersion: v1\n", `kind: List\nitems:\n- ${indent(IPPOOL)}`]) {
    assert.not.ok(saysNone(text));
  }
});

test("a pool defined twice is reported with both places", () => {
  const first = parseManifests(IPPOOL, "a.yaml").pools;
  const second = parseManifests(`${CIDRPOOL}---\n${IPPOOL}`, "b.yaml").pools;
  assert.equal(duplicatePools([...first, ...second]).map(formatManifestProblem), [
    "b.yaml:6: metadata.name: IPPool/pool1 is defined in a.yaml:1 already",
  ]);
});

test("an alias bomb does not go off", () => {
  const levels = ["a: &a [x, x, x, x, x, x, x, x, x, x]"];
  for (const [from, to] of ["ab", "bc", "cd", "de", "ef", "fg", "gh"].map((pair) => [...pair])) {
    levels.push(`${to}: &${to} [${Array(10).fill(`*${from}`).join(", ")}]`);
  }
  assert.equal(problems(`${levels.join("\n")}\n`), [
    "pools.yaml:1: cannot be read: Excessive alias count indicates a resource exhaustion attack",
  ]);
});

test("depth is a problem, not an exception", () => {
  assert.match(problems("[".repeat(20_000))[0] ?? "", /^pools.yaml:1: /);
});

test("a text that is too long is refused before it is read", () => {
  assert.equal(problems(`# ${"x".repeat(2 * 1024 * 1024)}`), [
    "pools.yaml:1: a manifest may have 2097152 characters at most",
  ]);
});

test("no text makes reading throw", () => {
  const random = randomFrom(announceSeed("manifests"));
  const parts = [
    IPPOOL,
    CIDRPOOL,
    "---\n",
    "...\n",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ": ",
    "&a ",
    "*a",
    "!!binary ",
    "<<: *a\n",
    "|\n",
    "\t",
    "%YAML 9.9\n",
    "\u0000",
    "💥",
    '"',
    "'",
    "#",
    "? ",
  ] as const;
  for (let round = 0; round < 1500; round++) {
    let text = "";
    for (let part = 0; part < 6; part++) {
      const piece = random.pick(parts);
      text += piece.slice(0, 1 + random.below(piece.length));
    }
    const { problems: found } = parseManifests(text, "x");
    for (const { line } of found) assert.ok(line >= 1 && line <= text.split("\n").length + 1, JSON.stringify(text));
  }
});

function indent(text: string): string {
  return `${text.trimEnd().replaceAll("\n", "\n  ")}\n`;
}

test.run();
