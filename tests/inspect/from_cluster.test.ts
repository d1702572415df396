import { test } from "uvu";
import * as assert from "uvu/assert";
import { readCluster } from "../../src/lib/inspect/from_cluster.ts";
import type { ListRequest } from "../../src/lib/kube/client.ts";
import { statusError } from "../../src/lib/kube/error.ts";
import type { KubeObject, Resource } from "../../src/lib/kube/object.ts";
import { fail, ok } from "../../src/lib/result.ts";

const POOL = { metadata: { name: "p", namespace: "ipam" }, spec: { subnet: "10.0.0.0/24", perNodeBlockSize: 8 } };

/** Lists by `namespace/plural` or plural; a number is the status of an error. */
type Lists = Readonly<Record<string, readonly object[] | number>>;

function server(lists: Lists) {
  const selectors: string[] = [];
  const list = async <T extends KubeObject>({ plural }: Resource, { namespace, fieldSelector }: ListRequest = {}) => {
    if (fieldSelector !== undefined) selectors.push(fieldSelector);
    const found = lists[namespace === undefined ? plural : `${namespace}/${plural}`] ?? [];
    if (typeof found === "number") return fail(statusError(`GET ${plural}`, { code: found, message: `${found}` }));
    return ok({ resourceVersion: "1", items: found as unknown as readonly T[] });
  };
  return { client: { server: "https://api.example", list }, selectors };
}

/** The pools' names and the notes, or the error. */
async function read(lists: Lists, namespace = ""): Promise<readonly string[] | string> {
  const content = await readCluster(server(lists).client, { namespace, pods: "all" });
  if (!content.ok) return content.error;
  return [...content.value.pools.map(({ kind, metadata }) => `${kind}/${metadata.name}`), ...content.value.notes];
}

const rows: readonly [what: string, lists: Lists, expected: readonly string[] | RegExp][] = [
  ["pools are found wherever they are", { ippools: [POOL] }, ["IPPool/p"]],
  [
    "a cluster without the CRDs is an error",
    { ippools: 404, cidrpools: 404 },
    /https:\/\/api\.example does not know IPPools and CIDRPools/,
  ],
  [
    "one kind alone is noted",
    { ippools: [POOL], cidrpools: 404 },
    ["IPPool/p", "the cluster does not know CIDRPools: their CRD is not there"],
  ],
  [
    "who may not look everywhere sees where pools usually are",
    { ippools: 403, cidrpools: 403, "kube-system/ippools": [POOL] },
    ["IPPool/p"],
  ],
  [
    "who may not look there either is told what to name",
    { ippools: 403, "kube-system/ippools": 403 },
    /^GET ippools: 403; name the pools' namespace with --ippools-namespace$/,
  ],
  [
    "several namespaces need one to be named",
    { ippools: [POOL, { ...POOL, metadata: { name: "q", namespace: "b" } }] },
    /several namespaces \(b, ipam\): name one/,
  ],
  [
    "of several namespaces that is looked at whose pools a controller has looked at, and the others are told",
    {
      ippools: [
        { ...POOL, status: { allocations: [] } },
        { ...POOL, metadata: { name: "q", namespace: "b" } },
      ],
    },
    ["IPPool/p", "IPPool q of namespace b is not served: no controller has looked at it; make it in ipam"],
  ],
  ["an object that is no pool at all is passed over", { ippools: [POOL, { metadata: {} }] }, ["IPPool/p"]],
  [
    "what may not be seen is noted",
    { ippools: [POOL], nodes: 403, pods: 403 },
    [
      "IPPool/p",
      "nodes may not be listed: which blocks are missing, or of nodes that are gone, is not known",
      "pods may not be listed: which addresses are in use is not known",
    ],
  ],
  ["networks may be missing", { ippools: [POOL], "network-attachment-definitions": 404 }, ["IPPool/p"]],
  ["a server in trouble is an error", { ippools: [POOL], pods: 500 }, /^GET pods: 500$/],
];
for (const [what, lists, expected] of rows) {
  test(what, async () => {
    const found = await read(lists);
    if (expected instanceof RegExp) assert.match(String(found), expected);
    else assert.equal(found, expected);
  });
}

test("a namespace that is named is all that is looked at", async () => {
  assert.equal(await read({ ippools: 403, "mine/ippools": [POOL] }, "mine"), ["IPPool/p"]);
  assert.is(await read({ "mine/ippools": 403 }, "mine"), "GET ippools: 403");
});

test("only pods that have not finished are asked for, of one node where that is enough", async () => {
  for (const [pods, selector] of [
    ["all", "status.phase!=Succeeded,status.phase!=Failed"],
    [{ node: "a" }, "status.phase!=Succeeded,status.phase!=Failed,spec.nodeName=a"],
  ] as const) {
    const { client, selectors } = server({ ippools: [POOL] });
    await readCluster(client, { namespace: "", pods });
    assert.equal(selectors, [selector]);
  }
});

test.run();
