/** The validating webhook, asked by a real API server. */
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import { readCrd } from "../api/_crd.ts";
import { ADMIN_TOKEN } from "./_api_server.ts";
import { makeCertificate } from "./_certificates.ts";
import { ControllerProcess, freePort } from "./_controller.ts";
import { API_VERSION, installCrd, type Kind, must, Pools, startWith, until } from "./_pools.ts";

const CONFIGURATIONS: Resource = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
};

const INVALID: Readonly<Record<Kind, object>> = {
  IPPool: { subnet: "10.0.0.0/24", perNodeBlockSize: 4, gateway: "10.1.0.1" },
  CIDRPool: { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 0 },
};

const { server, client } = await startWith(installCrdsWithoutRules, {
  users: [{ token: "token-of-nobody", user: "nobody" }],
});
const directory = mkdtempSync(join(tmpdir(), "nv-ipam-webhook-"));
const port = await freePort();
const pools = new Pools(client, "webhook");
let controller: ControllerProcess | undefined;
/** Controllers beside it, by their webhook's port. */
const others: ControllerProcess[] = [];

const test = suite("webhook");
test.after(async () => {
  await Promise.all([controller, ...others].map((each) => each?.kill()));
  await server.remove();
  rmSync(directory, { recursive: true, force: true });
});

/** The CRDs without their rules: what is refused, the webhook refuses. */
async function installCrdsWithoutRules(to: KubeClient): Promise<void> {
  for (const kind of ["IPPool", "CIDRPool"] as const) {
    const crd = JSON.stringify(readCrd(kind), (key, member) =>
      key === "x-kubernetes-validations" ? undefined : member,
    );
    await installCrd(to, JSON.parse(crd));
  }
}

/** Registers the webhook, and waits until the API server asks it. */
async function register(cert: string): Promise<void> {
  const webhooks = (["IPPool", "CIDRPool"] as const).map((kind) => ({
    name: `validate-${kind.toLowerCase()}.nv-ipam.nvidia.com`,
    admissionReviewVersions: ["v1"],
    sideEffects: "None",
    failurePolicy: "Fail",
    clientConfig: {
      url: `https://127.0.0.1:${port}/validate-nv-ipam-nvidia-com-v1alpha1-${kind.toLowerCase()}`,
      caBundle: Buffer.from(cert).toString("base64"),
    },
    rules: [
      {
        apiGroups: ["nv-ipam.nvidia.com"],
        apiVersions: ["v1alpha1"],
        operations: ["CREATE", "UPDATE", "DELETE"],
        resources: [`${kind.toLowerCase()}s`],
      },
    ],
  }));
  const object = {
    apiVersion: "admissionregistration.k8s.io/v1",
    kind: "ValidatingWebhookConfiguration",
    metadata: { name: "nv-ipam" },
    webhooks,
  };
  must(await client.create(CONFIGURATIONS, undefined, object));
  for (const kind of ["IPPool", "CIDRPool"] as const) {
    await until(async () => {
      const made = await pools.create(kind, "probe", INVALID[kind]);
      if (made.ok) must(await pools.delete(kind, "probe"));
      return !made.ok && /admission webhook/.test(made.error.message);
    }, `the webhook is asked about an ${kind}`);
  }
}

test("the API server comes to trust it and to ask it", async () => {
  const { cert } = makeCertificate(directory, "tls");
  await Pools.inNewNamespace(client, pools.namespace);
  controller = await ControllerProcess.start({
    kubeconfig: server.kubeconfig,
    namespace: pools.namespace,
    flags: webhookFlags(port),
  });
  await register(cert);
});

function webhookFlags(at: number): readonly string[] {
  const election = ["--leader-elect", `--leader-elect-namespace=${pools.namespace}`];
  return [...election, "--webhook", `--webhook-bind-address=127.0.0.1:${at}`, `--webhook-cert-dir=${directory}`];
}

interface Answered {
  readonly status: number;
  readonly body: string;
  /** The texts of Warning headers, which kubectl shows. */
  readonly warnings: readonly string[];
}

/** One request, with the headers of its answer. */
function send(url: string, ca: string, method: string, body: unknown): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, "content-type": "application/json" };
    const asked = request(url, { ca, method, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (chunk: string) => {
        text += chunk;
      });
      answer.on("end", () => {
        const told = String(answer.headers.warning ?? "");
        const warnings = [...told.matchAll(/299 - "((?:[^"\\\\]|\\\\.)*)"/g)].map(([, words = ""]) => words);
        resolve({ status: answer.statusCode ?? 0, body: text, warnings });
      });
    });
    asked.on("error", reject).end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** A request to the API server about a pool, as kubectl sends it. */
function ask(method: string, kind: Kind, name: string, spec?: unknown, namespace = pools.namespace): Promise<Answered> {
  const path = `/apis/${API_VERSION}/namespaces/${namespace}/${kind.toLowerCase()}s${method === "POST" ? "" : `/${name}`}`;
  const object = spec === undefined ? undefined : { apiVersion: API_VERSION, kind, metadata: { name }, spec };
  return send(`${server.url}${path}`, readFileSync(server.caFile, "utf8"), method, object);
}

/** A review as the API server sends it, to the webhook at this port. */
async function review(at: number, spec: unknown): Promise<{ allowed?: boolean; warnings?: readonly string[] }> {
  const object = { apiVersion: API_VERSION, kind: "IPPool", metadata: { name: "reviewed" }, spec };
  const asked = {
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "1",
      kind: { group: "nv-ipam.nvidia.com", version: "v1alpha1", kind: "IPPool" },
      operation: "CREATE",
      namespace: pools.namespace,
      object,
    },
  };
  const url = `https://127.0.0.1:${at}/validate-nv-ipam-nvidia-com-v1alpha1-ippool`;
  const { body } = await send(url, readFileSync(join(directory, "tls.crt"), "utf8"), "POST", asked);
  return JSON.parse(body).response;
}

test("an invalid pool is refused with the field's path and what would be right", async () => {
  const made = await pools.create("IPPool", "invalid", INVALID.IPPool);
  assert.ok(!made.ok && made.error.code === "invalid");
  assert.match(
    made.error.message,
    /spec\.gateway: Invalid value: "10\.1\.0\.1": must be an address of 10\.0\.0\.0\/24/,
  );
  const prefix = await pools.create("CIDRPool", "invalid", INVALID.CIDRPool);
  assert.ok(!prefix.ok && prefix.error.code === "invalid");
  assert.match(prefix.error.message, /spec\.gatewayIndex: Invalid value: 0/);
});

test("R5 an edit that would move blocks is refused, widening is not, and the status is still written", async () => {
  await pools.addNode("node-a");
  must(await pools.create("IPPool", "pool1", { subnet: "10.0.0.0/24", perNodeBlockSize: 4 }));
  await pools.untilBlocks("IPPool", "pool1", ["node-a 10.0.0.1-10.0.0.4"]);
  const edited = await pools.patch("IPPool", "pool1", { spec: { perNodeBlockSize: 8 } });
  assert.ok(!edited.ok && edited.error.code === "invalid");
  assert.match(edited.error.message, /would move blocks that nodes have: node-a 10\.0\.0\.1-10\.0\.0\.4/);
  must(await pools.patch("IPPool", "pool1", { spec: { subnet: "10.0.0.0/16" } }));
  must(await pools.delete("IPPool", "pool1"));
});

const IP_POOL = { subnet: "10.0.0.0/24", perNodeBlockSize: 4 };
const ODD: readonly [what: string, kind: Kind, spec: object, warning: RegExp][] = [
  [
    "the misspelt defautGateway",
    "IPPool",
    { ...IP_POOL, gateway: "10.0.0.1", defautGateway: true },
    /^spec\.defautGateway: is deprecated, a misspelling/,
  ],
  ["the broadcast address as gateway", "IPPool", { ...IP_POOL, gateway: "10.0.0.255" }, /^spec\.gateway: is no host's/],
  [
    "no usable address in any block",
    "CIDRPool",
    { cidr: "10.0.0.0/24", perNodeNetworkPrefix: 32, gatewayIndex: 0 },
    /leaves no prefix an address/,
  ],
  [
    "addresses of another pool",
    "IPPool",
    { ...IP_POOL, subnet: "10.200.0.0/16" },
    /^shares addresses with CIDRPool\/wide$/,
  ],
];
for (const [what, kind, spec, warning] of ODD) {
  test(`${what}: the API server hands on the warning`, async () => {
    must(await pools.create("CIDRPool", "wide", { cidr: "10.192.0.0/10", perNodeNetworkPrefix: 24 }));
    await until(async () => (await pools.blocks("CIDRPool", "wide")).length > 0, "the controller knows the other pool");
    const { status, warnings, body } = await ask("POST", kind, "odd", spec);
    assert.is(status, 201, body);
    assert.ok(
      warnings.some((text) => warning.test(text)),
      `warnings: ${warnings.join("; ")}`,
    );
    for (const [each, name] of [
      [kind, "odd"],
      ["CIDRPool", "wide"],
    ] as const)
      must(await pools.delete(each, name));
  });
}

test("R2 before a pool is deleted the user is told of how many nodes have blocks of it", async () => {
  must(await pools.create("IPPool", "dealt", IP_POOL));
  await pools.untilBlocks("IPPool", "dealt", ["node-a 10.0.0.1-10.0.0.4"]);
  const { status, warnings } = await ask("DELETE", "IPPool", "dealt");
  assert.is(status, 200);
  assert.match(warnings.join(), /^1 node has a block of this pool/);
});

test("a pool of a namespace that nobody looks at is let in with a warning", async () => {
  const { status, warnings } = await ask("POST", "IPPool", "lost", IP_POOL, "default");
  assert.is(status, 201);
  assert.equal(warnings, [`pools of namespace default are not looked at: those of ${pools.namespace} are`]);
});

test("a replica that does not lead is ready, and refuses the same", async () => {
  const at = await freePort();
  const { kubeconfig } = server;
  const standby = await ControllerProcess.start({ kubeconfig, namespace: pools.namespace, flags: webhookFlags(at) });
  others.push(standby);
  assert.is(await standby.metric("nvipam_leader"), 0);
  assert.is((await review(at, INVALID.IPPool)).allowed, false);
  assert.equal(await review(at, IP_POOL), { uid: "1", allowed: true, warnings: [] });
});

test("a replica that has not read nodes and pools yet is not ready; it holds to the rules, and says what it cannot know", async () => {
  const at = await freePort();
  const kubeconfig = join(directory, "nobody");
  writeFileSync(kubeconfig, server.config("token-of-nobody").exportConfig(), { mode: 0o600 });
  const blind = await ControllerProcess.spawn({ kubeconfig, namespace: pools.namespace, flags: webhookFlags(at) });
  others.push(blind);
  await until(
    async () => (await blind.probe("/readyz")).status === 503,
    "it is not ready",
    () => blind.output,
  );
  await until(
    () =>
      review(at, IP_POOL).then(
        () => true,
        () => false,
      ),
    "its webhook answers",
    () => blind.output,
  );
  assert.is((await review(at, INVALID.IPPool)).allowed, false);
  assert.match((await review(at, IP_POOL)).warnings?.join() ?? "", /is not known yet/);
});

test("a valid pool of the other kind is let in, and out again", async () => {
  must(await pools.create("CIDRPool", "pool1", { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24 }));
  must(await pools.delete("CIDRPool", "pool1"));
  assert.not((await pools.get("CIDRPool", "pool1")).ok);
});

test("a certificate that is replaced as Kubernetes replaces Secrets is used without a restart", async () => {
  const renewed = join(directory, "renewed");
  mkdirSync(renewed);
  const { cert, key } = makeCertificate(renewed, "tls");
  for (const [name, text] of [
    ["tls.crt", cert],
    ["tls.key", key],
  ] as const) {
    writeFileSync(join(directory, `${name}.new`), text);
    renameSync(join(directory, `${name}.new`), join(directory, name));
  }
  await until(
    () =>
      review(port, IP_POOL).then(
        () => true,
        () => false,
      ),
    "the new certificate is used",
  );
});

test.run();
