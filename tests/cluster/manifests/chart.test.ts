/** The Helm chart: the same objects as kustomize gives, values that the schema describes, and releases on a real API server. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parse } from "yaml";
import { need } from "../../_need.ts";
import {
  commandLine,
  containerOf,
  kustomize,
  type Manifest,
  manifestKey,
  type Overlay,
  overlay,
  parseManifests,
  pick,
  type Workload,
} from "../../manifests.ts";
import { Kubectl } from "../_kubectl.ts";
import { startWith } from "../_pools.ts";
import { installCertManagerKinds } from "./_cert_manager.ts";

const HELM = need("helm");
const CHART = join(import.meta.dirname, "../../../charts/nv-ipam");
const NAMESPACE = "kube-system";

/** The values that give what an overlay gives. */
const VALUES: Readonly<Record<Overlay, readonly string[]>> = {
  "no-webhook": [],
  certmanager: ["webhook.certificate=certManager"],
  openshift: ["webhook.certificate=openshift", "openshift=true"],
};

const { server } = await startWith(installCertManagerKinds);
const kubectl = new Kubectl(server.kubeconfig);
const test = suite("chart");
test.after(() => server.remove());

/** @returns what helm printed. @throws with what it complained about. */
function helm(...args: readonly string[]): string {
  const env = { PATH: process.env.PATH ?? "", HOME: server.directory };
  const { status, stdout, stderr } = spawnSync(HELM, args, { encoding: "utf8", env, maxBuffer: 1 << 24 });
  if (status !== 0) throw new Error(`helm ${args.join(" ")}: ${stdout}${stderr}`);
  return stdout;
}

function template(values: readonly string[] = [], ...more: readonly string[]): readonly Manifest[] {
  const set = values.map((value) => `--set=${value}`);
  return parseManifests(helm("template", "nv-ipam", CHART, `--namespace=${NAMESPACE}`, ...set, ...more));
}

function release(command: string, ...more: readonly string[]): string {
  const place = [`--namespace=${NAMESPACE}`, `--kubeconfig=${server.kubeconfig}`];
  return helm(command, "nv-ipam", ...(command === "uninstall" ? [] : [CHART]), ...place, ...more);
}

const byKey = (objects: readonly Manifest[]) => new Map(objects.map((object) => [manifestKey(object), object]));

for (const [name, values] of Object.entries(VALUES) as [Overlay, readonly string[]][]) {
  test(`it gives the same objects as the overlay ${name}`, () => {
    const expected = byKey(overlay(name));
    const rendered = byKey(template(values));
    assert.equal([...rendered.keys()].sort(), [...expected.keys()].sort());
    for (const [key, object] of rendered) {
      if (object.kind !== "CustomResourceDefinition") assert.equal(object, expected.get(key), key);
      else assert.equal(withoutAnnotations(object), expected.get(key), key);
    }
  });
}

/** @throws when it has another annotation than the one that keeps it. */
function withoutAnnotations({ metadata: { annotations, ...metadata }, ...object }: Manifest): Manifest {
  assert.equal(annotations, { "helm.sh/resource-policy": "keep" });
  return { ...object, metadata };
}

test("before Kubernetes 1.31 the CRDs have no rules, and otherwise when asked to", () => {
  const rules = (objects: readonly Manifest[]) => JSON.stringify(objects).split("x-kubernetes-validations").length - 1;
  const all = rules(parseManifests(kustomize("crds")));
  assert.is(rules(template([], "--kube-version=1.31.0")), all);
  assert.is(rules(template([], "--kube-version=1.30.9")), 0);
  assert.is(rules(template(["crds.rules=on"], "--kube-version=1.30.9")), all);
  assert.is(rules(template(["crds.rules=off"])), 0);
  assert.not(template(["crds.install=false"]).some(({ kind }) => kind === "CustomResourceDefinition"));
});

test("with monitoring it has what the component adds", () => {
  const [resources, components] = ["overlays/no-webhook", "components/monitoring"].map((part) => [
    relative(server.directory, join(CHART, "../../manifests", part)),
  ]);
  const settings = { namespace: NAMESPACE, resources, components };
  writeFileSync(join(server.directory, "kustomization.yaml"), JSON.stringify(settings));
  const isAdded = ({ kind }: Manifest): boolean => /^(PodMonitor|PrometheusRule|ConfigMap)$/.test(kind);
  const expected = parseManifests(kustomize(server.directory)).filter(isAdded);
  assert.is(expected.length, 4);
  assert.equal(byKey(template(["monitoring=true"]).filter(isAdded)), byKey(expected));
  assert.equal(template().filter(isAdded), []);
});

interface Schema {
  readonly description?: string;
  readonly type?: string | readonly string[];
  readonly additionalProperties?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
}

test("the schema describes each value, and knows no other", () => {
  const schema = JSON.parse(readFileSync(join(CHART, "values.schema.json"), "utf8")) as Schema;
  const values = parse(readFileSync(join(CHART, "values.yaml"), "utf8"));
  const check = (part: Schema, value: unknown, path: string): void => {
    if (part.properties === undefined) return;
    assert.is(part.additionalProperties, false, path);
    const keys = Object.keys(part.properties).filter((key) => key !== "global");
    assert.equal(keys.sort(), Object.keys(value as object).sort(), path);
    for (const key of keys) {
      const of = part.properties[key] ?? {};
      assert.ok((of.description ?? "").endsWith("."), `${path}.${key} is not described`);
      check(of, (value as Record<string, unknown>)[key], `${path}.${key}`);
    }
  };
  check(schema, values, "");
  for (const [wrong, words] of [
    ["node.tolerationz[0].operator=Exists", "tolerationz"],
    ["webhook.certificate=vault", "/webhook/certificate"],
    ["controller.replicas=0", "/controller/replicas"],
    ["node.maxUnavailable=0%", "/node/maxUnavailable"],
    // What would break the manifest that it is put into, or what selects the pods.
    ["cni.logFile=/var/log/a: b #c", "/cni/logFile"],
    ["cni.binDir=/opt/cni/bin: x", "/cni/binDir"],
    ["cni.confDir=/etc/x #y", "/cni/confDir"],
    ["cni.stateDir=/", "/cni/stateDir"],
    ["node.podLabels.name=x", "/node/podLabels"],
    ["controller.podLabels.app=x", "/controller/podLabels"],
    ["node.podAnnotations.kubectl\\.kubernetes\\.io/default-container=x", "/node/podAnnotations"],
  ] as const) {
    assert.throws(
      () => template([wrong]),
      (error: Error) => error.message.includes(words),
      wrong,
    );
  }
  assert.throws(() => template(["webhook.certificate=secret"]), /caBundle is needed/);
});

test("docs/install.md names values that there are", () => {
  const schema = JSON.parse(readFileSync(join(CHART, "values.schema.json"), "utf8")) as Schema;
  const text = readFileSync(join(CHART, "../../docs/install.md"), "utf8");
  const named = [
    ...text.matchAll(/`((?:image|crds|controller|node|cni|webhook|monitoring|openshift)(?:\.[A-Za-z]+)*)(?:\.\*)?`/g),
  ];
  assert.ok(named.length > 10);
  for (const [, path = ""] of named) {
    const found = path.split(".").reduce<Schema | undefined>((part, key) => part?.properties?.[key], schema);
    assert.ok(found, path);
  }
});

test("what users want to be different is", () => {
  const objects = template([
    "image.repository=registry.example.com/net/nv-ipam",
    `image.digest=sha256:${"0a".repeat(32)}`,
    "image.pullSecrets[0].name=pull",
    "node.logLevel=4",
    "node.extraArgs[0]=--cni-force-pool-name",
    "node.resources.limits.memory=1Gi",
    "node.tolerations[0].operator=Exists",
    "node.addCapabilities[0]=DAC_OVERRIDE",
    "cni.binDir=/var/lib/rancher/k3s/data/cni",
    "cni.stateDir=/data/nv-ipam/",
    "cni.logLevel=debug",
    "webhook.certificate=secret",
    "webhook.caBundle=QUJD",
  ]);
  const daemonSet = pick<Workload>(objects, "DaemonSet/nv-ipam-node-ds");
  const container = containerOf(daemonSet);
  assert.is(container.image, `registry.example.com/net/nv-ipam@sha256:${"0a".repeat(32)}`);
  const line = commandLine(container, { "metadata.namespace": NAMESPACE, "spec.nodeName": "n1" });
  for (const flag of [
    "--v=4",
    "--cni-log-level=debug",
    "--cni-force-pool-name",
    "--bind-address=unix:///data/nv-ipam/daemon.sock",
    "--cni-daemon-socket=unix:///data/nv-ipam/daemon.sock",
    "--store-file=/data/nv-ipam/store",
  ]) {
    assert.ok(line.includes(flag), `${flag} in ${line.join(" ")}`);
  }
  const { volumes = [] } = daemonSet.spec.template.spec;
  const paths = Object.fromEntries(volumes.map(({ name, hostPath }) => [name, hostPath?.path]));
  assert.is(paths.cnibin, "/var/lib/rancher/k3s/data/cni");
  assert.is(paths.daemonstate, "/data/nv-ipam/");
  const text = JSON.stringify(daemonSet);
  for (const part of ['"tolerations":[{"operator":"Exists"}]', '"add":["DAC_OVERRIDE"]', '"limits":{"memory":"1Gi"}'])
    assert.ok(text.includes(part), `${part} in ${text}`);
  assert.match(text, /"imagePullSecrets":\[\{"name":"pull"\}\]/);
  const webhook = JSON.stringify(
    pick(objects, "ValidatingWebhookConfiguration/nv-ipam-validating-webhook-configuration"),
  );
  assert.is(webhook.split('"caBundle":"QUJD"').length - 1, 4);
});

test("it has the version of the package", () => {
  const { version } = JSON.parse(readFileSync(join(CHART, "../../package.json"), "utf8"));
  const chart = parse(readFileSync(join(CHART, "Chart.yaml"), "utf8"));
  assert.equal([chart.version, chart.appVersion], [version, version]);
});

test("helm finds nothing to complain about", () => {
  assert.match(helm("lint", "--strict", CHART), /0 chart\(s\) failed/);
});

test("it takes over what kubectl applied, is upgraded, and leaves the CRDs when it goes", async () => {
  await kubectl.apply(overlay("no-webhook"));
  release("install", "--take-ownership", "--force-conflicts");
  // What kubectl applied it owns as well, and conflicts are forced for as long.
  release("upgrade", "--force-conflicts", "--set=webhook.certificate=certManager");
  const get = (what: string): Promise<string> =>
    kubectl.run(["get", what, "--namespace=kube-system", "--output=name", "--ignore-not-found"]);
  assert.match(await get("service/nv-ipam-webhook-service"), /webhook/);
  release("upgrade", "--force-conflicts", "--reset-values", "--set=openshift=true,webhook.certificate=openshift");
  assert.is(await get("certificate.cert-manager.io/nv-ipam-serving-cert"), "");
  release("uninstall");
  const ours = async (what: string): Promise<readonly string[]> =>
    (await get(what)).split("\n").filter((name) => name.includes("nv-ipam"));
  assert.equal(await ours("daemonset,deployment,poddisruptionbudget,clusterrole,role,rolebinding,service"), []);
  assert.is((await ours("customresourcedefinition")).length, 2);
});

test.run();
