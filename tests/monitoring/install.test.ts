/** The component's PodMonitors find the pods that the overlays make. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { parseAllDocuments, stringify } from "yaml";
import { need } from "../_need.ts";

const kubectl = need("kubectl");
const MANIFESTS = join(import.meta.dirname, "../../manifests");

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace: string; readonly labels?: Labels };
  readonly spec?: {
    readonly selector?: { readonly matchLabels: Labels };
    readonly podMetricsEndpoints?: readonly { readonly port: string }[];
    readonly template?: {
      readonly metadata: { readonly labels: Labels };
      readonly spec: { readonly containers: readonly { readonly ports?: readonly Port[] }[] };
    };
  };
  readonly data?: Labels;
}

type Labels = Readonly<Record<string, string>>;

interface Port {
  readonly name: string;
  readonly containerPort: number;
}

function rendered(): readonly Manifest[] {
  const directory = mkdtempSync(join(realpathSync(tmpdir()), "nv-ipam-monitoring-"));
  try {
    const at = (part: string) => relative(directory, join(MANIFESTS, part));
    const kustomization = {
      apiVersion: "kustomize.config.k8s.io/v1beta1",
      kind: "Kustomization",
      namespace: "kube-system",
      resources: [at("overlays/no-webhook")],
      components: [at("components/monitoring")],
    };
    writeFileSync(join(directory, "kustomization.yaml"), stringify(kustomization));
    const text = execFileSync(kubectl, ["kustomize", directory], { encoding: "utf8", maxBuffer: 2 ** 26 });
    return parseAllDocuments(text).map((document) => document.toJS());
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const all = rendered();
const monitors = all.filter(({ kind }) => kind === "PodMonitor");

for (const [monitor, workload] of [
  ["nv-ipam-controller", "Deployment"],
  ["nv-ipam-node", "DaemonSet"],
] as const) {
  test(`PodMonitor ${monitor} finds the pods of the ${workload} and their port of metrics, and no others`, () => {
    const { spec } = monitors.find(({ metadata }) => metadata.name === monitor) ?? {};
    const templates = all.flatMap(({ kind, spec: of }) => (of?.template ? [{ kind, template: of.template }] : []));
    const wanted = Object.entries(spec?.selector?.matchLabels ?? {});
    assert.ok(wanted.length > 0);
    const found = templates.filter(({ template }) =>
      wanted.every(([name, value]) => template.metadata.labels[name] === value),
    );
    assert.equal(
      found.map(({ kind }) => kind),
      [workload],
    );
    const ports = found[0]?.template.spec.containers.flatMap((container) => container.ports ?? []);
    assert.is(ports?.find(({ name }) => name === spec?.podMetricsEndpoints?.[0]?.port)?.containerPort, 8080);
  });
}

test("all that the component adds is in the overlay's namespace", () => {
  const added = all.filter(({ kind }) => ["ConfigMap", "PodMonitor", "PrometheusRule"].includes(kind));
  assert.is(added.length, 4);
  for (const { metadata } of added) assert.is(metadata.namespace, "kube-system");
});

test("the dashboard is in a ConfigMap that Grafana's sidecar looks for", () => {
  const { metadata, data } = all.find(({ kind }) => kind === "ConfigMap") ?? {};
  assert.is(metadata?.labels?.grafana_dashboard, "1");
  assert.is(JSON.parse(data?.["nv-ipam.json"] ?? "{}").title, "nv-ipam");
});

test.run();
