/** The pods of the manifests, of the image that the Dockerfile makes, run by a real kubelet: no rights, no capabilities, no files but theirs. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Resource } from "../../src/lib/kube/object.ts";
import { makeCertificate } from "../cluster/_certificates.ts";
import { Kubectl } from "../cluster/_kubectl.ts";
import { must } from "../cluster/_pools.ts";
import { containerOf, overlay, pick, type Workload } from "../manifests.ts";
import { attachment } from "./_attachment.ts";
import { Cluster } from "./_cluster.ts";
import { packRoot } from "./_image.ts";
import type { Machine } from "./_machine.ts";
import { Pods } from "./_pods.ts";
import { MASTER } from "./_switch.ts";

const ROOT = join(import.meta.dirname, "../..");
const NODE = "n1";
const NAMESPACE = "kube-system";
/** The Service `kubernetes`, as kubelet tells it to pods. */
const SERVICE = "10.0.0.1";
const PODS: Resource = { group: "", version: "v1", plural: "pods" };
const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const CONFIG_MAPS: Resource = { group: "", version: "v1", plural: "configmaps" };

/** Of the overlay with a webhook, what the API server knows without cert-manager, and what waits for nobody. */
const objects = overlay("certmanager").filter(
  ({ apiVersion, kind }) => !apiVersion.startsWith("cert-manager.io/") && kind !== "ValidatingWebhookConfiguration",
);
const WORKLOADS = { controller: "Deployment/nv-ipam-controller", daemon: "DaemonSet/nv-ipam-node-ds" } as const;

const cluster = await Cluster.start({ nodes: [NODE], controllers: 0 });
const { machine, containerd, ipam } = cluster.node(NODE);
const system = new Pods(cluster.client, NAMESPACE);
/** It goes with the cluster. */
const directory = mkdtempSync(join(cluster.api.directory, "deployed-"));

const test = suite("deployed");
test.after(async () => {
  await system.close();
  await cluster.remove();
});

test.before(async () => {
  await ipam.process.end("SIGTERM");
  rmSync(machine.path("/opt/cni/bin/nv-ipam"));
  rmSync(machine.path("/etc/cni/net.d/nv-ipam.d"), { recursive: true });
  await leadToApiServer(machine);
  await new Kubectl(cluster.api.kubeconfig).apply(objects.filter(({ kind }) => kind !== "CustomResourceDefinition"));
  await giveRootCertificate();
  await giveServingCertificate();
  await importImage();
});

/** What kube-proxy does: whoever asks the Service is led to the API server, also from pods. */
async function leadToApiServer(to: Machine): Promise<void> {
  const { hostname, port } = new URL(cluster.api.url);
  await to.run("ip", "address", "add", `${SERVICE}/32`, "dev", "lo");
  writeFileSync(to.path("/service"), `#!/bin/sh\nexec busybox nc ${hostname} ${port}\n`, { mode: 0o755 });
  await to.spawn("service", "busybox", ["nc", "-ll", "-p", "443", "-e", "/service"]);
  const path = to.path("/etc/cni/net.d/00-multus.conflist");
  const list = JSON.parse(readFileSync(path, "utf8"));
  list.plugins[0].delegates[0].plugins[0].ipam.routes = [{ dst: `${SERVICE}/32` }];
  writeFileSync(path, JSON.stringify(list));
}

/** What kube-controller-manager puts into every namespace. */
async function giveRootCertificate(): Promise<void> {
  const data = { "ca.crt": readFileSync(cluster.api.caFile, "utf8") };
  const metadata = { name: "kube-root-ca.crt" };
  must(await cluster.client.create(CONFIG_MAPS, NAMESPACE, { apiVersion: "v1", kind: "ConfigMap", metadata, data }));
}

/** What cert-manager puts into the webhook's Secret. */
async function giveServingCertificate(): Promise<void> {
  const { cert, key } = makeCertificate(directory, "tls");
  const stringData = { "tls.crt": cert, "tls.key": key };
  const metadata = { name: "nv-ipam-webhook-server-cert" };
  const secret = { apiVersion: "v1", kind: "Secret", type: "kubernetes.io/tls", metadata, stringData };
  must(await cluster.client.create(SECRETS, NAMESPACE, secret));
}

/** The image of the Dockerfile's last stage, which has what scripts/image makes and nothing else. */
async function importImage(): Promise<void> {
  const root = join(directory, "root");
  execFileSync(join(ROOT, "scripts/image"), [root]);
  const { image } = containerOf(pick<Workload>(objects, WORKLOADS.daemon));
  const file = await packRoot(directory, root, { name: `docker.io/library/${image}`, entrypoint: ["/nv-ipam"] });
  cpSync(file, machine.path("/nv-ipam-image.tar"));
  await containerd.ctr("images", "import", "/nv-ipam-image.tar");
}

/** Makes the pod that the workload's controller would make for the node, with the token that the admission plugin ServiceAccount adds. */
async function runPod(name: string, key: string): Promise<void> {
  const { metadata = {}, spec } = pick<Workload>(objects, key).spec.template as {
    readonly metadata?: object;
    readonly spec: Workload["spec"]["template"]["spec"];
  };
  const { containers, volumes = [], ...rest } = spec;
  const mount = { name: "kube-api-access", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true };
  const sources = [
    { serviceAccountToken: { path: "token", expirationSeconds: 3607 } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    { downwardAPI: { items: [{ path: "namespace", fieldRef: { fieldPath: "metadata.namespace" } }] } },
  ];
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...metadata, name },
    spec: {
      ...rest,
      nodeName: NODE,
      containers: containers.map((container) => ({
        ...container,
        volumeMounts: [...(container.volumeMounts ?? []), mount],
      })),
      volumes: [...volumes, { name: mount.name, projected: { sources, defaultMode: 0o644 } }],
    },
  };
  must(await cluster.client.create(PODS, NAMESPACE, pod));
  await system.untilRunning(name);
}

/** What the kernel says of the only process of this command line. */
function statusOf(command: string): Readonly<Record<string, string>> {
  const proc = machine.path("/proc");
  const pids = readdirSync(proc).filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(join(proc, name, "cmdline"), "utf8").startsWith(`${command}\0`);
    } catch {
      return false;
    }
  });
  assert.is(pids.length, 1, `processes of ${command}`);
  const lines = readFileSync(join(proc, pids[0] ?? "", "status"), "utf8").split("\n");
  return Object.fromEntries(lines.map((line) => line.split(":\t") as [string, string]));
}

test("controller and node daemon become ready as their probes have it, without any capability", async () => {
  await Promise.all([runPod("controller", WORKLOADS.controller), runPod("daemon", WORKLOADS.daemon)]);
  for (const [command, uid] of [
    ["/ipam-controller", "65532"],
    ["/ipam-node", "0"],
  ] as const) {
    const { Uid, CapEff, CapBnd, NoNewPrivs, Seccomp } = statusOf(command);
    assert.equal(
      { uid: Uid?.split("\t")[0], CapEff, CapBnd, NoNewPrivs, Seccomp },
      { uid, CapEff: "0000000000000000", CapBnd: "0000000000000000", NoNewPrivs: "1", Seccomp: "2" },
      command,
    );
  }
});

/** Who holds what, by which container. */
async function held(): Promise<readonly string[]> {
  const reservations = await ipam.reservations();
  return reservations.map(({ pod, addresses, containerID }) => `${pod?.name} ${addresses} ${containerID}`);
}

test("pods get addresses by the plugin that the daemon's pod has installed", async () => {
  await cluster.definePool("IPPool", "pool1", { subnet: "10.10.0.0/24", perNodeBlockSize: 8 });
  const plugin = { type: "macvlan", master: MASTER, mode: "bridge" };
  const config = { cniVersion: "1.0.0", name: "net-a", ...plugin, ipam: { type: "nv-ipam", poolName: "pool1" } };
  await cluster.defineNetwork("net-a", config);
  await cluster.pods.run({ name: "user", node: NODE, networks: ["net-a"] });
  const { addresses } = await attachment(cluster, "user", "net1");
  assert.match(addresses.join(), /^10\.10\.0\.\d\/24$/);
  assert.match((await held()).join(), /^user [0-9.]+ [0-9a-f]{64}$/);
});

test("a daemon that is replaced keeps what pods hold; one whose store is gone finds it in libcni's cache", async () => {
  const before = await held();
  await system.remove("daemon");
  await runPod("daemon", WORKLOADS.daemon);
  assert.equal(await held(), before);
  await system.remove("daemon");
  const state = machine.path("/var/lib/cni/nv-ipam");
  for (const file of readdirSync(state)) rmSync(join(state, file), { recursive: true });
  await runPod("daemon", WORKLOADS.daemon);
  assert.equal(await held(), before);
  await cluster.pods.remove("user");
  assert.equal(await held(), []);
});

test.run();
