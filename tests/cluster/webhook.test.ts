/** The validating webhook, asked by a real API server. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import { readCrd } from "../api/_crd.ts";
import { makeCertificate } from "./_certificates.ts";
import { ControllerProcess, freePort } from "./_controller.ts";
import { installCrd, type Kind, must, Pools, startWith, until } from "./_pools.ts";

const CONFIGURATIONS: Resource = {
  group: "admissionregistration.k8s.io",
  version: "v1",
  plural: "validatingwebhookconfigurations",
};

const INVALID: Readonly<Record<Kind, object>> = {
  IPPool: { subnet: "10.0.0.0/24", perNodeBlockSize: 4, gateway: "10.1.0.1" },
  CIDRPool: { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24, gatewayIndex: 0 },
};

const { server, client } = await startWith(installCrdsWithoutRules);
const directory = mkdtempSync(join(tmpdir(), "nv-ipam-webhook-"));
const port = await freePort();
const pools = new Pools(client, "webhook");
let controller: ControllerProcess | undefined;

const test = suite("webhook");
test.after(async () => {
  await controller?.kill();
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
    flags: ["--webhook", `--webhook-bind-address=127.0.0.1:${port}`, `--webhook-cert-dir=${directory}`],
  });
  await register(cert);
});

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

test("a valid pool of the other kind is let in, and out again", async () => {
  must(await pools.create("CIDRPool", "pool1", { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24 }));
  must(await pools.delete("CIDRPool", "pool1"));
  assert.not((await pools.get("CIDRPool", "pool1")).ok);
});

test.run();
