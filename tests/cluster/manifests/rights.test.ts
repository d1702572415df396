/** Controller and node daemon on a real API server with the manifests' roles and nothing else: all they need, and all is needed. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { POOL_RESOURCES } from "../../../src/lib/api/resources.ts";
import type { KubeClient } from "../../../src/lib/kube/client.ts";
import type { KubeError } from "../../../src/lib/kube/error.ts";
import type { Resource } from "../../../src/lib/kube/object.ts";
import { PodWatch } from "../../../src/lib/node/pod_watch.ts";
import type { Result } from "../../../src/lib/result.ts";
import { listLog } from "../../daemon/_local.ts";
import {
  commandLine,
  containerOf,
  type Manifest,
  overlay,
  pick,
  type RoleManifest,
  type Workload,
} from "../../manifests.ts";
import { makeCertificate } from "../_certificates.ts";
import { ControllerProcess, freePort } from "../_controller.ts";
import { Kubectl } from "../_kubectl.ts";
import { NodeDaemon } from "../_node.ts";
import { must, Pools, startWith, until } from "../_pools.ts";
import { AuditLog, allows } from "./_audit.ts";
import { installCertManagerKinds } from "./_cert_manager.ts";

const NAMESPACE = "kube-system";
const NODES: Resource = { group: "", version: "v1", plural: "nodes" };
const PODS: Resource = { group: "", version: "v1", plural: "pods" };
const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
const LEASES: Resource = { group: "coordination.k8s.io", version: "v1", plural: "leases" };
const ROLES: Resource = { group: "rbac.authorization.k8s.io", version: "v1", plural: "roles" };

const objects = overlay("certmanager");
const audit = new AuditLog();
const directory = mkdtempSync(join(tmpdir(), "nv-ipam-rights-"));
// Without streaming lists, as before Kubernetes 1.32: a list is then a list.
const { server, client } = await startWith(installCertManagerKinds, {
  flags: [...audit.flags, "--feature-gates=WatchList=false"],
});
const kubectl = new Kubectl(server.kubeconfig);
const pools = new Pools(client, NAMESPACE);
const controllers: ControllerProcess[] = [];
let node: NodeDaemon | undefined;

const test = suite("rights");
test.after(async () => {
  await Promise.all(controllers.map((controller) => controller.kill()));
  await node?.remove();
  await server.remove();
  audit.remove();
  rmSync(directory, { recursive: true, force: true });
});

/** The token of a service account, as its pods have it. */
async function tokenOf(serviceAccount: string): Promise<string> {
  return (await kubectl.run(["create", "token", serviceAccount, `--namespace=${NAMESPACE}`])).trim();
}

/** The workload's arguments, and a kubeconfig with the token of its service account. */
async function deployed(key: string, fields: Readonly<Record<string, string>>) {
  const workload = pick<Workload>(objects, key);
  const { serviceAccountName } = workload.spec.template.spec;
  const kubeconfig = join(directory, serviceAccountName);
  writeFileSync(kubeconfig, server.config(await tokenOf(serviceAccountName)).exportConfig(), { mode: 0o600 });
  const [, ...flags] = commandLine(containerOf(workload), { "metadata.namespace": NAMESPACE, ...fields });
  return { kubeconfig, namespace: NAMESPACE, flags };
}

test("the controller deals blocks, elects a leader, records Events, lets blocks rest and answers its webhook", async () => {
  const webhooks = (object: Manifest): boolean => object.kind === "ValidatingWebhookConfiguration";
  await kubectl.apply(objects.filter((object) => !webhooks(object)));
  const { cert } = makeCertificate(directory, "tls");
  const port = await freePort();
  const settings = await deployed("Deployment/nv-ipam-controller", {});
  assert.ok(settings.flags.includes("--webhook=true"));
  const here = [`--webhook-cert-dir=${directory}`, "--block-release-delay=1s"];
  for (const place of [port, await freePort()]) {
    const flags = [...settings.flags, ...here, `--webhook-bind-address=127.0.0.1:${place}`];
    controllers.push(await ControllerProcess.start({ ...settings, flags }));
  }

  // Two blocks for three nodes, one of which comes twice: the same Event again.
  for (const name of ["node-a", "node-b", "node-c"]) await pools.addNode(name, { pool: "yes" });
  const selector = { nodeSelectorTerms: [{ matchExpressions: [{ key: "pool", operator: "In", values: ["yes"] }] }] };
  must(await pools.create("IPPool", "pool1", { subnet: "10.0.0.0/29", perNodeBlockSize: 3, nodeSelector: selector }));
  must(await pools.create("CIDRPool", "pool1", { cidr: "10.1.0.0/16", perNodeNetworkPrefix: 24 }));
  await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.3", "node-b 10.0.0.4-10.0.0.6"]);
  await untilEvent(1);
  await pools.label("node-c", { pool: "no" });
  await until(async () => (await conditionOf("pool1")) === "True", "no node waits for a block");
  await pools.label("node-c", { pool: "yes" });
  await untilEvent(2);

  // The node stays, so its pods are looked at before its block goes to the one that waits.
  await pools.label("node-a", { pool: "no" });
  await pools.untilBlocks("IPPool", "pool1", ["node-b 10.0.0.4-10.0.0.6", "node-c 10.0.0.1-10.0.0.3"]);

  await kubectl.apply(objects.filter(webhooks).map((object) => reachable(object, port, cert)));
  await until(async () => {
    const made = await pools.create("IPPool", "bad", {
      subnet: "10.2.0.0/24",
      perNodeBlockSize: 4,
      nodeSelector: selectorOfNone(),
    });
    if (made.ok) must(await pools.delete("IPPool", "bad"));
    return !made.ok && /admission webhook/.test(made.error.message);
  }, "the API server asks the webhook");
});

/** What the CRD's own rules let through. */
function selectorOfNone(): unknown {
  return { nodeSelectorTerms: [{ matchExpressions: [{ key: "pool", operator: "In", values: [] }] }] };
}

/** The configuration with an address for the Service, which nothing here leads to. */
function reachable(object: Manifest, port: number, cert: string): Manifest {
  interface Webhook {
    readonly clientConfig: { readonly service: { readonly path: string } };
  }
  const { webhooks, ...rest } = object as Manifest & { readonly webhooks: readonly Webhook[] };
  const caBundle = Buffer.from(cert).toString("base64");
  const changed = webhooks.map(({ clientConfig, ...webhook }) => ({
    ...webhook,
    clientConfig: { url: `https://127.0.0.1:${port}${clientConfig.service.path}`, caBundle },
  }));
  return { ...rest, webhooks: changed } as Manifest;
}

async function untilEvent(count: number): Promise<void> {
  await until(
    async () => {
      const { items } = must(await client.list(EVENTS, { namespace: NAMESPACE }));
      const counts = items.map((item) => item as unknown as { readonly reason: string; readonly count: number });
      return counts.some((event) => event.reason === "NoFreeRanges" && event.count === count);
    },
    `an Event NoFreeRanges, ${count} times`,
    () => controllers.map(({ output }) => output).join("\n"),
  );
}

async function conditionOf(name: string): Promise<string | undefined> {
  const { status } = must(await pools.get("IPPool", name));
  return status?.conditions?.find(({ type }) => type === "Ready")?.status;
}

test("the node daemon serves pools, rebuilds its store and looks for pods", async () => {
  const settings = await deployed("DaemonSet/nv-ipam-node-ds", { "spec.nodeName": "node-b" });
  // Where its files are is the test's to say.
  const flags = settings.flags.filter((flag) => !/^--(bind-address|store-file|cni-(?!log-level))/.test(flag));
  assert.ok(flags.includes("--node-name=node-b") && flags.includes("--logging-format=json"), flags.join(" "));
  node = new NodeDaemon({ ...settings, nodeName: "node-b", flags });
  await node.start();
  assert.match(node.log, /The addresses in use on this node are known/);
  assert.equal(await node.add("c1", { poolName: "pool1" }), ["10.0.0.4/29"]);
  assert.match((await node.add("c2", { poolName: "pool1", poolType: "cidrpool" })).join(), /^10\.1\.\d\.1\/24$/);
  // The stale cleaner asks for this node's pods in its first round, after a minute: the question alone is asked here.
  const asNode = server.client(await tokenOf("nv-ipam-node"));
  const pods = new PodWatch({ client: asNode, nodeName: "node-b", log: listLog([]) });
  const found = await pods.list(AbortSignal.timeout(10_000));
  assert.ok(found.ok && found.value.size === 0);
});

const COMPONENTS = [
  ["nv-ipam-controller", "controller"],
  ["nv-ipam-node", "node daemon"],
] as const;
const KINDS = [
  ["Role", "namespace"],
  ["ClusterRole", "cluster"],
] as const;

for (const [name] of COMPONENTS) {
  test(`every right of ${name} is used, and nothing was denied`, async () => {
    const used = audit.requestsOf(NAMESPACE, name);
    assert.ok(used.length > 0);
    assert.equal(
      used.filter(({ allowed }) => !allowed),
      [],
    );
    for (const [kind, where] of KINDS) {
      const namespace = where === "namespace" ? NAMESPACE : undefined;
      const { rules } = pick<RoleManifest>(objects, `${kind}/${name}`);
      for (const rule of rules.flatMap(single)) {
        assert.ok(
          used.some((request) => allows(rule, namespace, request)),
          `unused: ${kind} ${JSON.stringify(rule)}`,
        );
      }
    }
  });
}

/** The rule's rights one by one. */
function single(rule: RoleManifest["rules"][number]): RoleManifest["rules"] {
  return rule.apiGroups.flatMap((group) =>
    rule.resources.flatMap((resource) =>
      rule.verbs.map((verb) => ({ ...rule, apiGroups: [group], resources: [resource], verbs: [verb] })),
    ),
  );
}

test("docs/install.md lists the rights", () => {
  const text = readFileSync(join(import.meta.dirname, "../../../docs/install.md"), "utf8");
  const quoted = (cell: string): readonly string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
  const documented: string[] = [];
  let component = "";
  for (const line of (text.split("\n## Rights\n")[1] ?? "").split("\n## ")[0]?.split("\n") ?? []) {
    const [, first = "", group = "", resources = "", verbs = "", where = ""] = line
      .split("|")
      .map((cell) => cell.trim());
    if (where !== "cluster" && where !== "namespace") continue;
    component = first || component;
    // `verb`; of `name`: `verb`, …
    const [anywhere = "", ofOne = ""] = verbs.split("; of ");
    const [one = "", ...verbsOfOne] = quoted(ofOne);
    const tell = (resource: string, verb: string, name: string): string =>
      `${component} ${where} ${quoted(group)} ${resource} ${verb} ${name}`;
    for (const resource of quoted(resources)) {
      documented.push(...quoted(anywhere).map((verb) => tell(resource, verb, "")));
      documented.push(...verbsOfOne.map((verb) => tell(resource, verb, one)));
    }
  }
  const granted = COMPONENTS.flatMap(([name, called]) =>
    KINDS.flatMap(([kind, where]) =>
      pick<RoleManifest>(objects, `${kind}/${name}`)
        .rules.flatMap(single)
        .map(({ apiGroups, resources, verbs, resourceNames = [] }) =>
          [called, where, apiGroups, resources, verbs, resourceNames].join(" "),
        ),
    ),
  );
  assert.equal(documented.sort(), granted.sort());
});

const POOL1 = { namespace: NAMESPACE, name: "pool1" };
const X = { namespace: NAMESPACE, name: "x" };
const MERGE = { type: "merge" } as const;

type Ask = (as: KubeClient) => Promise<Result<unknown, KubeError>>;

/** What they could do harm with: what neither may, the controller may not, the node daemon may not. */
const FORBIDDEN: Readonly<Record<string, readonly [what: string, ask: Ask][]>> = {
  both: [
    ["read a Secret", (as) => as.get(SECRETS, X)],
    ["change a Node", (as) => as.patch(NODES, { name: "node-a" }, { metadata: { labels: { a: "b" } } }, MERGE)],
    ["make a Pod", (as) => as.create(PODS, NAMESPACE, {})],
    ["delete a Pod", (as) => as.delete(PODS, X)],
    ["change its own Role", (as) => as.patch(ROLES, { ...X, name: "nv-ipam-node" }, {}, MERGE)],
    ["make a pool", (as) => as.create(POOL_RESOURCES.IPPool, NAMESPACE, {})],
    ["change a pool's spec", (as) => as.patch(POOL_RESOURCES.IPPool, POOL1, { spec: {} }, MERGE)],
    ["delete a pool", (as) => as.delete(POOL_RESOURCES.IPPool, POOL1)],
    ["list pools of another namespace", (as) => as.list(POOL_RESOURCES.CIDRPool, { namespace: "default" })],
    ["hold another Lease", (as) => as.put(LEASES, { ...X, name: "kube-scheduler" }, {})],
    ["record an Event elsewhere", (as) => as.create(EVENTS, "default", {})],
  ],
  "nv-ipam-controller": [["read a Pod", (as) => as.get(PODS, X)]],
  "nv-ipam-node": [
    ["write a pool's status", (as) => as.put(POOL_RESOURCES.IPPool, POOL1, {}, { subresource: "status" })],
    ["list Nodes", (as) => as.list(NODES)],
    ["record an Event", (as) => as.create(EVENTS, NAMESPACE, {})],
    ["lead", (as) => as.create(LEASES, NAMESPACE, {})],
  ],
};

for (const [name] of COMPONENTS) {
  test(`${name} is denied what is not its business`, async () => {
    const as = server.client(await tokenOf(name));
    for (const [what, ask] of [...(FORBIDDEN.both ?? []), ...(FORBIDDEN[name] ?? [])]) {
      const answer = await ask(as);
      assert.is(answer.ok ? "allowed" : answer.error.code, "forbidden", `${name} may ${what}`);
    }
  });
}

test.run();
