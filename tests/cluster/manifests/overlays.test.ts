/** The overlays: what they render, that a real API server takes them, and that they go over the original's manifests and back. */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { POOL_RESOURCES } from "../../../src/lib/api/resources.ts";
import {
  commandLine,
  containerOf,
  kustomize,
  type Manifest,
  manifestKey,
  OVERLAYS,
  overlay,
  type PodSpec,
  parseManifests,
  pick,
  type RoleManifest,
  type Workload,
} from "../../manifests.ts";
import { type ApplyMode, Kubectl, toText } from "../_kubectl.ts";
import { API_VERSION, must, startWith, until } from "../_pools.ts";
import { installCertManagerKinds } from "./_cert_manager.ts";

const ROOT = join(import.meta.dirname, "../../..");
const ORIGINAL = parseManifests(readFileSync(join(import.meta.dirname, "original.yaml"), "utf8"));

const FIELDS = { "metadata.namespace": "network", "spec.nodeName": "n1" };
const POOL = { namespace: "kube-system", name: "pool1" };

const { server, client } = await startWith(installCertManagerKinds, {
  flags: ["--allow-privileged"],
  withoutAdmission: ["ServiceAccount"],
});
const kubectl = new Kubectl(server.kubeconfig);
const test = suite("overlays");
test.after(() => server.remove());
test.before(async () => {
  await kubectl.apply(kustomize("crds"));
  await until(async () => (await client.list(POOL_RESOURCES.IPPool)).ok, "pools are served");
  // Before there is a webhook that nobody answers.
  const spec = { subnet: "10.0.0.0/24", perNodeBlockSize: 4 };
  const pool = { apiVersion: API_VERSION, kind: "IPPool", metadata: POOL, spec };
  must(await client.create(POOL_RESOURCES.IPPool, POOL.namespace, pool));
});

/** The objects as the API server has them, without what it writes itself. */
async function stored(objects: readonly Manifest[]): Promise<readonly StoredObject[]> {
  const { items } = JSON.parse(await kubectl.run(["get", "--filename=-", "--output=json"], toText(objects)));
  return items.map(({ status: _, metadata, ...rest }: StoredObject & { readonly status?: unknown }) => {
    const { name, namespace, uid, labels, annotations = {} } = metadata;
    const own = Object.entries(annotations).filter(([key]) => !/^(kubectl|deprecated\.daemonset)\b/.test(key));
    return { ...rest, metadata: { name, namespace, uid, labels, annotations: Object.fromEntries(own) } };
  });
}

interface StoredObject extends Manifest {
  readonly metadata: Manifest["metadata"] & { readonly uid: string };
  readonly spec?: Readonly<Record<string, unknown>>;
}

for (const name of OVERLAYS) {
  test(`${name} is accepted by the API server, strictly and without a warning`, async () => {
    const rendered = overlay(name);
    const applied = await kubectl.apply(rendered);
    assert.is(applied.trim().split("\n").length, rendered.length, applied);
  });
}

test("only openshift needs its security context constraints, and only the overlays with a webhook a Service", () => {
  const kinds = (name: (typeof OVERLAYS)[number]) => overlay(name).map(manifestKey);
  assert.not(kinds("no-webhook").some((key) => /Service\/|Webhook|Certificate|Issuer/.test(key)));
  const added = kinds("certmanager").filter((key) => !kinds("no-webhook").includes(key));
  assert.equal(added, [
    "Service/nv-ipam-webhook-service",
    "Certificate/nv-ipam-serving-cert",
    "Issuer/nv-ipam-selfsigned-issuer",
    "ValidatingWebhookConfiguration/nv-ipam-validating-webhook-configuration",
  ]);
  for (const [role, constraint] of [
    ["Role/nv-ipam-node", "privileged"],
    ["Role/nv-ipam-controller", "nonroot-v2"],
  ] as const) {
    const { rules } = pick<RoleManifest>(overlay("openshift"), role);
    const before = pick<RoleManifest>(overlay("no-webhook"), role).rules;
    assert.equal(rules.slice(0, before.length), before);
    assert.equal(rules.slice(before.length), [
      {
        apiGroups: ["security.openshift.io"],
        resources: ["securitycontextconstraints"],
        resourceNames: [constraint],
        verbs: ["use"],
      },
    ]);
  }
  const { volumes } = pick<Workload>(overlay("openshift"), "DaemonSet/nv-ipam-node-ds").spec.template.spec;
  assert.equal(
    volumes?.find(({ name }) => name === "cnibin"),
    {
      name: "cnibin",
      hostPath: { path: "/var/lib/cni/bin", type: "DirectoryOrCreate" },
    },
  );
});

test("settings of one's own go over an overlay, the namespace into every text that has it", async () => {
  const objects = parseManifests(kustomize("examples/own-settings"));
  assert.not(JSON.stringify(objects).includes("kube-system"));
  const { tolerations, containers, volumes } = pick<Workload>(objects, "DaemonSet/nv-ipam-node-ds").spec.template
    .spec as PodSpec & { readonly tolerations: unknown };
  assert.equal(tolerations, [{ operator: "Exists" }]);
  const line = containers.flatMap((container) => commandLine(container, FIELDS));
  assert.ok(line.includes("--v=2") && line.includes("--cni-log-level=debug"), line.join(" "));
  assert.ok(volumes?.some(({ hostPath }) => hostPath?.path === "/var/lib/rancher/k3s/data/cni"));
  for (const part of [
    '"cert-manager.io/inject-ca-from":"network/nv-ipam-serving-cert"',
    '"dnsNames":["nv-ipam-webhook-service.network.svc","nv-ipam-webhook-service.network.svc.cluster.local"]',
  ]) {
    assert.ok(JSON.stringify(objects).includes(part), part);
  }
  await kubectl.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: "network" } }, ...objects]);
});

test("the controller meets the Pod Security Standard restricted, the node daemon needs privileged for its host paths", async () => {
  const refusal = async (key: string, standard: string): Promise<string> => {
    const labels = { "pod-security.kubernetes.io/enforce": standard };
    await kubectl.apply([{ apiVersion: "v1", kind: "Namespace", metadata: { name: standard, labels } }]);
    const { spec } = pick<Workload>(overlay("openshift"), key).spec.template;
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "pod", namespace: standard }, spec };
    try {
      await kubectl.apply([pod], "server-side", "--dry-run=server");
      return "";
    } catch (error) {
      return String(error);
    }
  };
  assert.is(await refusal("Deployment/nv-ipam-controller", "restricted"), "");
  assert.is(await refusal("DaemonSet/nv-ipam-node-ds", "privileged"), "");
  const [, violations = ""] = (await refusal("DaemonSet/nv-ipam-node-ds", "baseline")).split("violates PodSecurity");
  assert.match(violations, /hostPath volumes .*seLinuxOptions/);
  assert.not.match(violations, /privileged|capabilities|seccomp|hostNetwork/i);
});

test("the image has the version of the package", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const key of ["Deployment/nv-ipam-controller", "DaemonSet/nv-ipam-node-ds"]) {
    assert.is(containerOf(pick<Workload>(overlay("no-webhook"), key)).image, `nv-ipam:${version}`);
  }
});

/** What kubectl noted in an annotation it does not take for its own without being told to. */
const FORCED = "--force-conflicts";

/** First the one, then the other, as users may have them, by either way to apply. */
const MODES: readonly [theirs: ApplyMode, ours: ApplyMode, ...more: string[]][] = [
  ["client-side", "client-side"],
  ["client-side", "server-side", FORCED],
  ["server-side", "server-side"],
];
const OURS = overlay("certmanager").filter(({ kind }) => kind !== "CustomResourceDefinition");

for (const [theirs, ours, ...more] of MODES) {
  test(`the original's manifests (${theirs}), ours over them (${ours}), and the original's again`, async () => {
    await kubectl.run(["delete", "--ignore-not-found", "--wait=false", "--filename=-"], toText([...ORIGINAL, ...OURS]));
    await kubectl.apply(ORIGINAL, theirs);
    const before = await stored(ORIGINAL);

    await kubectl.apply(OURS, ours, ...more);
    const now = await stored(OURS);
    const uids = new Map(now.map((object) => [manifestKey(object), object.metadata.uid]));
    for (const object of before) assert.is(uids.get(manifestKey(object)), object.metadata.uid, manifestKey(object));
    assert.equal(now.map(comparable), await asFirstInstallation(), "something of the original is left");

    await kubectl.apply(ORIGINAL, theirs);
    assert.equal(await stored(ORIGINAL), before);
    assert.ok(await poolIsThere());
  });
}

let first: readonly unknown[] | undefined;

/** What the API server makes of ours where there is nothing yet, compared as `comparable` gives it. */
async function asFirstInstallation(): Promise<readonly unknown[]> {
  if (first !== undefined) return first;
  const twins = OURS.map((object) => ({
    ...object,
    metadata: { ...object.metadata, name: `${object.metadata.name}${TWIN}` },
  }));
  await kubectl.apply(twins);
  first = (await stored(twins)).map(comparable);
  await kubectl.run(["delete", "--wait=false", "--filename=-"], toText(twins));
  return first;
}

const TWIN = "-twin";

/** Without what differs between two objects of the same content. */
function comparable({ metadata: { uid: _, ...metadata }, spec, ...object }: StoredObject): unknown {
  const { clusterIP: _ip, clusterIPs: _ips, ...rest } = spec ?? {};
  return { ...object, metadata: { ...metadata, name: metadata.name.replace(TWIN, "") }, spec: rest };
}

async function poolIsThere(): Promise<boolean> {
  return (await client.get(POOL_RESOURCES.IPPool, POOL)).ok;
}

test("without-cel takes every rule of the CRDs out, and nothing else", async () => {
  const resources = [relative(server.directory, join(ROOT, "manifests/crds"))];
  const components = [relative(server.directory, join(ROOT, "manifests/components/without-cel"))];
  writeFileSync(join(server.directory, "kustomization.yaml"), JSON.stringify({ resources, components }));
  const stripped = parseManifests(kustomize(server.directory));
  const rules = (key: string, value: unknown) => (key === "x-kubernetes-validations" ? undefined : value);
  const whole = parseManifests(kustomize("crds"));
  assert.equal(stripped, JSON.parse(JSON.stringify(whole, rules)));
  assert.not.equal(stripped, whole);
  await kubectl.apply(stripped);
});

test.run();
