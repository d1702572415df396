/** Pools and network configs that documents show are valid, and give the addresses that are said of them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseAllDocuments } from "yaml";
import { formatManifestProblem, parseManifests } from "../../src/lib/api/manifests.ts";
import type { Pool } from "../../src/lib/api/types.ts";
import { formatAddress, formatCidr } from "../../src/lib/ip/address.ts";
import { plan } from "../../src/lib/planner/plan.ts";
import { Ledger } from "../../src/lib/reservations/ledger.ts";
import { poolOnNode } from "../../src/lib/reservations/pool.ts";
import { tell } from "../cni/_plugin.ts";
import { page, pages } from "./_pages.ts";

interface Block {
  readonly path: string;
  readonly code: string;
}

const blocks: readonly Block[] = pages.flatMap(({ path, text }) => {
  const fenced = [...text.matchAll(/^```\w*\n([\s\S]*?)^```/gm)].map(([, code = ""]) => code);
  const rest = text.replaceAll(/^```[\s\S]*?^```/gm, "");
  const indented = [...rest.matchAll(/(?:^ {4}.*\n|^\n(?= {4}))+/gm)].map(([code]) => code.replaceAll(/^ {4}/gm, ""));
  return [...fenced, ...indented].map((code) => ({ path, code }));
});

const manifests = blocks.filter(({ code }) => code.includes("apiVersion: nv-ipam.nvidia.com/"));

test("documents show pools, and these are valid", () => {
  assert.ok(manifests.length >= 3);
  for (const { path, code } of manifests) {
    const { pools, problems, warnings } = parseManifests(code, path);
    assert.equal([...problems, ...warnings].map(formatManifestProblem), []);
    assert.ok(pools.length > 0, path);
  }
});

/** The network configs in a block of JSON, or in NetworkAttachmentDefinitions. */
function configsOf(code: string): Record<string, unknown>[] {
  const text = code.trim();
  if (!text.includes('"nv-ipam"')) return [];
  if (text.startsWith("{")) {
    const { plugins, ...config } = JSON.parse(text);
    return plugins === undefined ? [config] : plugins.map((plugin: object) => ({ ...config, ...plugin }));
  }
  const documents = parseAllDocuments(text).map((document) => document.toJS());
  return documents
    .filter((object) => object?.kind === "NetworkAttachmentDefinition")
    .map(({ metadata, spec }) => ({ name: metadata.name, ...JSON.parse(spec.config) }));
}

const configs = blocks.flatMap(({ path, code }) => configsOf(code).map((config) => ({ path, config })));

test("documents show network configs, and the plugin takes them", async () => {
  assert.ok(configs.length >= 3);
  for (const { path, config } of configs) {
    const { asked, answer } = await tell({ config });
    assert.is(asked[0]?.method, "Allocate", `${path}: ${answer.msg}`);
  }
});

const nodes = ["node-1", "node-2"].map((name) => ({ name, labels: {} }));

/** The pool as a controller would deal it to two nodes. */
function dealt(pool: Pool): Pool {
  const rest = { delayMs: 0, elapsedMs: () => 0, podUse: () => "unknown" as const };
  const { status } = plan({ pool, nodes, now: new Date(0), rest, overlapsWith: [] });
  return { ...pool, status } as Pool;
}

/** The block of the node, and the address of its first pod. */
function onNode(
  pool: Pool,
  nodeName: string,
): { readonly first: string; readonly last: string; readonly address: string } {
  const found = poolOnNode(pool, nodeName);
  if (found.state !== "ready") throw new Error(found.reason);
  const { block, network } = found.pool;
  const allocated = new Ledger().allocate({
    pools: [found.pool],
    attachment: { containerID: "c1", ifname: "net1" },
    owner: { type: "none" },
    network: "n",
    deviceID: "",
    requested: [],
    choice: { type: "next" },
    allowStaticInOtherBlocks: false,
    now: 0,
  });
  const [given] = allocated.ok ? allocated.value : [];
  if (given === undefined) throw new Error("no address was given");
  const { family } = block;
  const text = (value: bigint) => formatAddress({ family, value });
  const length = formatCidr(network).split("/")[1];
  return { first: text(block.first), last: text(block.last), address: `${formatAddress(given.address)}/${length}` };
}

const [ipPool, cidrPool] = manifests
  .filter(({ path }) => path === "docs/pools.md")
  .flatMap(({ path, code }) => parseManifests(code, path).pools.map(({ pool }) => dealt(pool)));

test("docs/pools.md tells what an IPPool gives to two nodes and their pods", () => {
  if (ipPool === undefined) throw new Error("there is no IPPool");
  const text = page("docs/pools.md").replaceAll("\n", " ");
  const [one, two] = [onNode(ipPool, "node-1"), onNode(ipPool, "node-2")];
  assert.match(text, `The first node gets ${one.first} to ${one.last}, the second ${two.first} to ${two.last}.`);
  assert.match(text, `The first pod on the first node has ${one.address},`);
  assert.match(text, `the first on the second node ${two.address}.`);
});

test("docs/pools.md tells what a CIDRPool gives to two nodes and their pods", () => {
  if (cidrPool?.kind !== "CIDRPool") throw new Error("there is no CIDRPool");
  const text = page("docs/pools.md").replaceAll("\n", " ");
  const [one, two] = cidrPool.status?.allocations ?? [];
  assert.match(
    text,
    `The first node gets ${one?.prefix} with gateway ${one?.gateway}, the second ${two?.prefix} with ${two?.gateway}.`,
  );
  assert.match(text, `The first pod on the second node has ${onNode(cidrPool, "node-2").address}.`);
});

test("docs/operations.md tells how many blocks there are", () => {
  const text = page("docs/operations.md");
  const common = { apiVersion: "nv-ipam.nvidia.com/v1alpha1", metadata: { name: "p" } } as const;
  const blocksOf = (pool: Pool) => dealt(pool).status?.blocks?.total.toLocaleString("en");
  const flat = blocksOf({ ...common, kind: "IPPool", spec: { subnet: "10.0.0.0/16", perNodeBlockSize: 24 } });
  const routed = blocksOf({ ...common, kind: "CIDRPool", spec: { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24 } });
  assert.match(text, `An IPPool with /16 and \`perNodeBlockSize: 24\` has ${flat} blocks.`);
  assert.match(text, `A CIDRPool with /16 and \`perNodeNetworkPrefix: 24\` has ${routed}.`);
});

test.run();
