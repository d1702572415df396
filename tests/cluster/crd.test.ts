/** What the API server accepts and refuses by the CRDs alone, and what it still lets the controller write. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseAllDocuments } from "yaml";
import { parsePool } from "../../src/lib/api/parse.ts";
import { validatePool } from "../../src/lib/api/validate.ts";
import { withoutRules } from "./_other_crds.ts";
import {
  API_VERSION,
  installCrd,
  installCrds,
  type Json,
  type Kind,
  must,
  type PoolJson,
  Pools,
  startWith,
} from "./_pools.ts";

const { server, client } = await startWith(installCrds);
const test = suite("CRDs");
test.after(() => server.remove());

const LABELLED = { key: "a", operator: "Exists" };

/** What is refused, by its name; the message that names the field. Every one of them validatePool refuses too. */
const REFUSED: readonly [what: string, kind: Kind, spec: unknown, message: RegExp][] = [
  ["no spec", "IPPool", undefined, /spec is required/],
  ["no subnet", "IPPool", { perNodeBlockSize: 4 }, /spec\.subnet: Required value/],
  ["no block size", "IPPool", { subnet: "10.0.0.0/24" }, /spec\.perNodeBlockSize: Required value/],
  ["a subnet without length", "IPPool", ip({ subnet: "10.0.0.0" }), /spec\.subnet/],
  ["a subnet with blanks", "IPPool", ip({ subnet: " 10.0.0.0/24" }), /spec\.subnet/],
  ["a subnet with leading zeros", "IPPool", ip({ subnet: "010.0.0.0/24" }), /spec\.subnet/],
  ["a subnet with a zone", "IPPool", ip({ subnet: "fe80::%eth0/64" }), /spec\.subnet/],
  ["a subnet of another type", "IPPool", ip({ subnet: 10 }), /spec\.subnet/],
  ["a length beyond the family", "IPPool", ip({ subnet: "10.0.0.0/33" }), /spec\.subnet/],
  ["a block of nothing", "IPPool", ip({ perNodeBlockSize: 0 }), /spec\.perNodeBlockSize/],
  ["a block size that is no integer", "IPPool", ip({ perNodeBlockSize: 1.5 }), /spec\.perNodeBlockSize/],
  ["a block size beyond 2^53", "IPPool", ip({ perNodeBlockSize: 2 ** 53 }), /spec\.perNodeBlockSize/],
  ["a block larger than the subnet", "IPPool", ip({ perNodeBlockSize: 255 }), /spec\.perNodeBlockSize/],
  ["a block larger than a /29", "IPPool", ip({ subnet: "10.0.0.0/29", perNodeBlockSize: 7 }), /spec\.perNodeBlockSize/],
  ["a block larger than a /32", "IPPool", ip({ subnet: "10.0.0.0/32", perNodeBlockSize: 2 }), /spec\.perNodeBlockSize/],
  [
    "a block larger than a /120",
    "IPPool",
    ip({ subnet: "fd00::/120", perNodeBlockSize: 256 }),
    /spec\.perNodeBlockSize/,
  ],
  ["a gateway that is none", "IPPool", ip({ gateway: "10.0.0.256" }), /spec\.gateway/],
  ["a gateway with a length", "IPPool", ip({ gateway: "10.0.0.1/24" }), /spec\.gateway/],
  ["a gateway elsewhere", "IPPool", ip({ gateway: "10.0.1.1" }), /spec\.gateway/],
  ["a gateway of the other family", "IPPool", ip({ gateway: "fd00::1" }), /spec\.gateway/],
  ["an exclusion without an end", "IPPool", ip({ exclusions: [{ startIP: "10.0.0.1" }] }), /exclusions\[0\]\.endIP/],
  ["an exclusion elsewhere", "IPPool", ip({ exclusions: [range("10.0.1.1", "10.0.1.2")] }), /spec\.exclusions/],
  [
    "an exclusion that is no address",
    "IPPool",
    ip({ exclusions: [range("x", "10.0.0.2")] }),
    /exclusions\[0\]\.startIP/,
  ],
  ["an index below zero", "IPPool", ip({ perNodeExclusions: [indexes(-1, 2)] }), /perNodeExclusions\[0\]\.startIndex/],
  ["indexes in reverse", "IPPool", ip({ perNodeExclusions: [indexes(3, 2)] }), /perNodeExclusions\[0\]/],
  ["an index beyond the block", "IPPool", ip({ perNodeExclusions: [indexes(2, 4)] }), /spec\.perNodeExclusions/],
  ["a route that is none", "IPPool", ip({ gateway: "10.0.0.1", routes: [{ dst: "10.7.0.0" }] }), /routes\[0\]\.dst/],
  ["a route of the other family", "IPPool", ip({ gateway: "10.0.0.1", routes: [{ dst: "fd00::/8" }] }), /spec\.routes/],
  ["routes without gateway", "IPPool", ip({ routes: [{ dst: "10.7.0.0/16" }] }), /spec\.routes/],
  ["defaultGateway without gateway", "IPPool", ip({ defaultGateway: true }), /spec\.defaultGateway/],
  [
    "a default route beside defaultGateway",
    "IPPool",
    ip({ gateway: "10.0.0.1", defaultGateway: true, routes: [{ dst: "0.0.0.0/0" }] }),
    /spec\.routes/,
  ],
  ["a selector without terms", "IPPool", ip({ nodeSelector: { nodeSelectorTerms: [] } }), /nodeSelectorTerms/],
  [
    "5,001 terms",
    "IPPool",
    ip({ nodeSelector: { nodeSelectorTerms: Array(5001).fill({ matchExpressions: [LABELLED] }) } }),
    /nodeSelectorTerms.*at most 5000/,
  ],
  ["5,001 requirements", "CIDRPool", cidr(selector(...Array(5001).fill(LABELLED))), /matchExpressions.*at most 5000/],
  ["an unknown operator", "IPPool", ip(selector({ key: "a", operator: "Is", values: ["b"] })), /operator/],
  ["a key that no label can have", "IPPool", ip(selector({ key: "a b", operator: "Exists" })), /key/],
  ["a field that is not the name", "IPPool", ip(fields({ key: "spec.x", operator: "In", values: ["a"] })), /key/],
  [
    "two names of a field",
    "IPPool",
    ip(fields({ key: "metadata.name", operator: "In", values: ["a", "b"] })),
    /values/,
  ],
  ["no cidr", "CIDRPool", { perNodeNetworkPrefix: 24 }, /spec\.cidr: Required value/],
  ["a cidr with host bits", "CIDRPool", cidr({ cidr: "10.0.0.1/16" }), /spec\.cidr/],
  ["a prefix shorter than the cidr", "CIDRPool", cidr({ perNodeNetworkPrefix: 15 }), /spec\.perNodeNetworkPrefix/],
  ["a prefix beyond IPv4", "CIDRPool", cidr({ perNodeNetworkPrefix: 33 }), /spec\.perNodeNetworkPrefix/],
  [
    "a prefix beyond IPv6",
    "CIDRPool",
    cidr({ cidr: "fd00::/48", perNodeNetworkPrefix: 129 }),
    /spec\.perNodeNetworkPrefix/,
  ],
  ["the network address as gateway", "CIDRPool", cidr({ gatewayIndex: 0 }), /spec\.gatewayIndex/],
  ["the broadcast address as gateway", "CIDRPool", cidr({ gatewayIndex: 255 }), /spec\.gatewayIndex/],
  [
    "a gateway beyond a /127",
    "CIDRPool",
    cidr({ cidr: "fd00::/64", perNodeNetworkPrefix: 127, gatewayIndex: 2 }),
    /gatewayIndex/,
  ],
  ["an index beyond the prefix", "CIDRPool", cidr({ perNodeExclusions: [indexes(0, 256)] }), /spec\.perNodeExclusions/],
  [
    "a static prefix of another length",
    "CIDRPool",
    cidr(statics({ prefix: "10.0.1.0/25" })),
    /spec\.staticAllocations/,
  ],
  ["a static prefix elsewhere", "CIDRPool", cidr(statics({ prefix: "10.1.1.0/24" })), /spec\.staticAllocations/],
  [
    "a static prefix with host bits",
    "CIDRPool",
    cidr(statics({ prefix: "10.0.1.1/24" })),
    /staticAllocations\[0\]\.prefix/,
  ],
  [
    "a static gateway outside its prefix",
    "CIDRPool",
    cidr(statics({ prefix: "10.0.1.0/24", gateway: "10.0.2.1" })),
    /staticAllocations\[0\]/,
  ],
  ["routes without gatewayIndex", "CIDRPool", cidr({ routes: [{ dst: "10.7.0.0/16" }] }), /spec\.routes/],
  ["defaultGateway without gatewayIndex", "CIDRPool", cidr({ defaultGateway: true }), /spec\.defaultGateway/],
];

/** What is accepted though it looks odd: validatePool accepts it too. */
const ACCEPTED: readonly [what: string, kind: Kind, spec: Json][] = [
  ["a /32 with a block of one", "IPPool", ip({ subnet: "10.0.0.0/32", perNodeBlockSize: 1 })],
  ["a /31 with a block of two", "IPPool", ip({ subnet: "10.0.0.0/31", perNodeBlockSize: 2 })],
  ["all of a /29", "IPPool", ip({ subnet: "10.0.0.0/29", perNodeBlockSize: 6 })],
  ["all of a /120", "IPPool", ip({ subnet: "fd00::/120", perNodeBlockSize: 255 })],
  ["the whole of IPv4", "IPPool", ip({ subnet: "0.0.0.0/0", perNodeBlockSize: 4294967294 })],
  [
    "the largest block of the whole of IPv6",
    "IPPool",
    ip({ subnet: "::/0", perNodeBlockSize: Number.MAX_SAFE_INTEGER }),
  ],
  ["a subnet with host bits", "IPPool", ip({ subnet: "10.0.0.7/24" })],
  ["IPv4 written as IPv6", "IPPool", ip({ subnet: "::ffff:10.0.0.0/120", gateway: "::ffff:10.0.0.1" })],
  ["IPv4 written as IPv6 in hexadecimal", "IPPool", ip({ subnet: "0:0:0:0:0:FFFF:a00:0/120" })],
  ["an empty gateway", "IPPool", ip({ gateway: "" })],
  ["the broadcast address as gateway", "IPPool", ip({ gateway: "10.0.0.255" })],
  [
    "exclusions that overlap",
    "IPPool",
    ip({ exclusions: [range("10.0.0.1", "10.0.0.9"), range("10.0.0.5", "10.0.0.12")] }),
  ],
  ["empty lists", "IPPool", ip({ exclusions: [], perNodeExclusions: [], routes: [] })],
  ["routes with host bits", "IPPool", ip({ gateway: "10.0.0.1", routes: [{ dst: "10.7.0.9/16" }] })],
  ["a default route without defaultGateway", "IPPool", ip({ gateway: "10.0.0.1", routes: [{ dst: "0.0.0.0/0" }] })],
  [
    "both spellings of defaultGateway",
    "IPPool",
    ip({ gateway: "10.0.0.1", defaultGateway: true, defautGateway: false }),
  ],
  ["a term that matches no node", "IPPool", ip({ nodeSelector: { nodeSelectorTerms: [{}] } })],
  [
    "a node chosen by its name",
    "IPPool",
    ip(fields({ key: "metadata.name", operator: "In", values: ["node-a.example"] })),
  ],
  ["every operator", "IPPool", ip(everyOperator())],
  ["/31 prefixes with their first address as gateway", "CIDRPool", cidr({ perNodeNetworkPrefix: 31, gatewayIndex: 0 })],
  ["/32 prefixes", "CIDRPool", cidr({ perNodeNetworkPrefix: 32, gatewayIndex: 0 })],
  ["/127 prefixes", "CIDRPool", cidr({ cidr: "fd00::/64", perNodeNetworkPrefix: 127, gatewayIndex: 1 })],
  [
    "the last index of an IPv6 prefix as gateway",
    "CIDRPool",
    cidr({ cidr: "fd00::/64", perNodeNetworkPrefix: 120, gatewayIndex: 255 }),
  ],
  ["one prefix for all", "CIDRPool", cidr({ perNodeNetworkPrefix: 16 })],
  [
    "/64 prefixes with a large index",
    "CIDRPool",
    cidr({ cidr: "fd00::/48", perNodeNetworkPrefix: 64, gatewayIndex: 2147483647 }),
  ],
  [
    "IPv4 written as IPv6 with lengths of 128 bits",
    "CIDRPool",
    { cidr: "::ffff:10.0.0.0/112", perNodeNetworkPrefix: 120 },
  ],
  ["a static prefix for no node", "CIDRPool", cidr(statics({ prefix: "10.0.1.0/24", nodeName: "", gateway: "" }))],
];

function ip(more: Json): Json {
  return { subnet: "10.0.0.0/24", perNodeBlockSize: 4, ...more };
}

function cidr(more: Json): Json {
  return { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24, ...more };
}

function range(startIP: string, endIP: string): Json {
  return { startIP, endIP };
}

function indexes(startIndex: number, endIndex: number): Json {
  return { startIndex, endIndex };
}

function statics(...staticAllocations: readonly Json[]): Json {
  return { staticAllocations };
}

function selector(...matchExpressions: readonly Json[]): Json {
  return { nodeSelector: { nodeSelectorTerms: [{ matchExpressions }] } };
}

function fields(...matchFields: readonly Json[]): Json {
  return { nodeSelector: { nodeSelectorTerms: [{ matchFields }] } };
}

function everyOperator(): Json {
  return selector(
    { key: "a", operator: "In", values: ["b", ""] },
    { key: "example.com/a", operator: "NotIn", values: ["b"] },
    { key: "a", operator: "Exists" },
    { key: "a", operator: "DoesNotExist", values: [] },
    { key: "a", operator: "Gt", values: ["4"] },
    { key: "a", operator: "Lt", values: ["4"] },
  );
}

function isValid(kind: Kind, spec: unknown): boolean {
  const parsed = parsePool({ apiVersion: API_VERSION, kind, metadata: { name: "x" }, spec });
  return parsed.ok && validatePool(parsed.value).errors.length === 0;
}

const pools = await Pools.inNewNamespace(client, "crds");

for (const [what, kind, spec, message] of REFUSED) {
  test(`${kind}: ${what} is refused`, async () => {
    assert.not(isValid(kind, spec), "only what the controller refuses");
    const made = await pools.create(kind, "refused", spec);
    assert.ok(!made.ok && made.error.code === "invalid", "it was accepted");
    assert.match(made.error.message, message);
  });
}

for (const [index, [what, kind, spec]] of ACCEPTED.entries()) {
  test(`${kind}: ${what} is accepted`, async () => {
    assert.ok(isValid(kind, spec), "what the controller accepts");
    const made = must(await pools.create(kind, `accepted-${index}`, spec));
    assert.equal(made.spec, spec);
  });
}

for (const document of parseAllDocuments(readFileSync(new URL("readme_pools.yaml", import.meta.url), "utf8"))) {
  const { kind, metadata, spec } = document.toJS() as { kind: Kind; metadata: { name: string }; spec: Json };
  test(`the README's ${kind} ${metadata.name} is accepted as it stands`, async () => {
    assert.equal(must(await pools.create(kind, metadata.name, spec)).spec, spec);
  });
}

test("lists as long as an object can hold are inside the cost that rules may have", async () => {
  const exclusions = Array.from({ length: 12_000 }, () => range("10.0.0.1", "10.0.0.2"));
  const routes = Array.from({ length: 12_000 }, () => ({ dst: "10.7.0.0/16" }));
  must(await pools.create("IPPool", "long", ip({ gateway: "10.0.0.1", exclusions, routes })));
  const perNodeExclusions = Array.from({ length: 25_000 }, () => indexes(1, 2));
  must(await pools.create("IPPool", "long-indexes", ip({ perNodeExclusions })));
  must(await pools.create("CIDRPool", "long-indexes", cidr({ perNodeExclusions })));
  const prefixes = Array.from({ length: 25_000 }, (_, index) => ({ prefix: `10.${index >> 8}.${index & 255}.0/24` }));
  must(await pools.create("CIDRPool", "long", cidr({ cidr: "10.0.0.0/8", ...statics(...prefixes) })));
});

/** A status with every member that the controller writes. */
function wholeStatus(kind: Kind): Json {
  const entry = kind === "IPPool" ? range("10.0.0.1", "10.0.0.4") : { prefix: "10.0.0.0/24", gateway: "10.0.0.1" };
  const now = "2026-01-01T00:00:00Z";
  const condition = { type: "Ready", status: "False", reason: "InvalidSpec", message: "m", lastTransitionTime: now };
  return {
    allocations: [{ nodeName: "node-a", ...entry }],
    released: [{ nodeName: "node-b", ...entry, releasedAt: now, reason: "NodeDeleted" }],
    appliedSpec: kind === "IPPool" ? ip({}) : cidr({}),
    observedGeneration: 3,
    blocks: { total: 9, allocated: 1, free: 7, resting: 1 },
    conditions: [{ ...condition, observedGeneration: 3 }],
  };
}

/** Objects of the right types. Wrong types cannot be stored: the original's CRD had them, too. */
const LOOSE: readonly [what: string, kind: Kind, spec: unknown, status?: unknown][] = [
  ...REFUSED.filter(([what]) => !/of another type|no integer/.test(what)).map(
    ([what, kind, spec]): [string, Kind, unknown] => [what, kind, spec],
  ),
  ["a spec without members", "IPPool", {}],
  [
    "lists of nothing",
    "CIDRPool",
    cidr({ staticAllocations: [{}], exclusions: [{}], routes: [{}], perNodeExclusions: [{}] }),
  ],
  ["two conditions of one type", "IPPool", ip({}), { conditions: [{ type: "Ready" }, { type: "Ready" }] }],
  ["allocations without their members", "CIDRPool", cidr({}), { allocations: [{}, { nodeName: "a" }] }],
];

test("whatever was stored before there were rules still takes the controller's status", async () => {
  const loose = await Pools.inNewNamespace(client, "loose");
  for (const kind of ["IPPool", "CIDRPool"] as const) await installCrd(client, withoutRules(kind));
  for (const [index, [, kind, spec, status]] of LOOSE.entries()) {
    must(await loose.create(kind, `pool-${index}`, spec));
    if (status !== undefined) must(await loose.patchStatus(kind, `pool-${index}`, status as Json));
  }
  await installCrds(client);
  const faults: string[] = [];
  for (const [index, [what, kind]] of LOOSE.entries()) {
    const before = must(await loose.get(kind, `pool-${index}`));
    const object = { apiVersion: API_VERSION, kind, metadata: before.metadata, status: wholeStatus(kind) };
    const resource = { group: "nv-ipam.nvidia.com", version: "v1alpha1", plural: `${kind.toLowerCase()}s` };
    const place = { namespace: loose.namespace, name: `pool-${index}` };
    const put = await client.put<PoolJson>(resource, place, object, { subresource: "status" });
    if (!put.ok) faults.push(`${what}: ${put.error.message}`);
    else assert.equal(put.value.status, wholeStatus(kind), what);
  }
  assert.equal(faults, []);
});

test("an invalid spec that was stored before can be labelled, but not made invalid in another way", async () => {
  const loose = new Pools(client, "loose");
  const index = LOOSE.findIndex(([what]) => what === "a gateway elsewhere");
  must(await loose.patch("IPPool", `pool-${index}`, { metadata: { labels: { a: "b" } } }));
  const edited = await loose.patch("IPPool", `pool-${index}`, { spec: { gateway: "10.0.2.1" } });
  assert.ok(!edited.ok && edited.error.code === "invalid");
  must(await loose.patch("IPPool", `pool-${index}`, { spec: { gateway: "10.0.0.1" } }));
});

test.run();
