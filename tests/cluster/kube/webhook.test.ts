/** The admission server as a real kube-apiserver asks it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type AdmissionRequest, AdmissionServer } from "../../../src/lib/kube/admission.ts";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import { ApiServer } from "../_api_server.ts";
import { makeCertificate } from "../_certificates.ts";

const CONFIG_MAPS = { group: "", version: "v1", plural: "configmaps" };
const WEBHOOKS = { group: "admissionregistration.k8s.io", version: "v1", plural: "validatingwebhookconfigurations" };

const directory = mkdtempSync(join(tmpdir(), "nv-ipam-webhook-"));
const [first, second] = [makeCertificate(directory, "first"), makeCertificate(directory, "second")];
const asked: AdmissionRequest[] = [];
const webhook = new AdmissionServer({
  port: 0,
  host: "127.0.0.1",
  certFile: first.certFile,
  keyFile: first.keyFile,
  reviewers: {
    "/review": (request) => {
      asked.push(request);
      const { data } = (request.object ?? {}) as { readonly data?: { readonly allowed?: string } };
      if (data?.allowed === "no") return { allowed: false, message: "data.allowed: must not be no" };
      return { allowed: true };
    },
  },
});
const started = await webhook.start();
if (!started.ok) throw new Error(started.error);
const server = await ApiServer.start();
const client = server.client();

const test = suite("webhook");
test.after(async () => {
  await server.remove();
  await webhook.stop(0);
  rmSync(directory, { recursive: true, force: true });
});

function configMap(name: string, allowed: string): unknown {
  return { metadata: { name, namespace: "default", labels: { review: "yes" } }, data: { allowed } };
}

/** Creates a ConfigMap, again as long as the API server does not know the webhook yet. */
async function untilReviewed(): Promise<void> {
  for (let i = 0; asked.length === 0; i++) await client.create(CONFIG_MAPS, "default", configMap(`probe-${i}`, "yes"));
  asked.length = 0;
}

function configuration(): unknown {
  return {
    metadata: { name: "test" },
    webhooks: [
      {
        name: "review.example.com",
        clientConfig: {
          url: `https://127.0.0.1:${webhook.port}/review`,
          caBundle: Buffer.from(first.cert + second.cert).toString("base64"),
        },
        rules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            resources: ["configmaps"],
            operations: ["CREATE", "UPDATE", "DELETE"],
          },
        ],
        objectSelector: { matchLabels: { review: "yes" } },
        failurePolicy: "Fail",
        sideEffects: "None",
        admissionReviewVersions: ["v1"],
        timeoutSeconds: 10,
      },
    ],
  };
}

test("what the reviewer refuses is refused with its message, and what it allows is done", async () => {
  const made = await client.create<KubeObject>(WEBHOOKS, undefined, configuration());
  assert.ok(made.ok);
  await untilReviewed();
  const refused = await client.create(CONFIG_MAPS, "default", configMap("a", "no"));
  assert.match(
    refused.ok ? "" : `${refused.error.code} ${refused.error.message}`,
    /^invalid .*denied the request: data\.allowed: must not be no/,
  );
  const name = { namespace: "default", name: "a" };
  assert.ok((await client.create(CONFIG_MAPS, "default", configMap("a", "yes"))).ok);
  assert.not.ok((await client.put(CONFIG_MAPS, name, configMap("a", "no"))).ok);
  assert.ok((await client.delete(CONFIG_MAPS, name)).ok);
  assert.equal(
    asked.map(({ operation, name, object, oldObject }) => [
      operation,
      name,
      object !== undefined,
      oldObject !== undefined,
    ]),
    [
      ["CREATE", "a", true, false],
      ["CREATE", "a", true, false],
      ["UPDATE", "a", true, true],
      ["DELETE", "a", false, true],
    ],
  );
});

test("reviews go on with a new certificate", async () => {
  writeFileSync(first.certFile, second.cert);
  writeFileSync(first.keyFile, second.key);
  await webhook.reload();
  for (let i = 0; i < 5; i++)
    assert.ok((await client.create(CONFIG_MAPS, "default", configMap(`after-${i}`, "yes"))).ok);
});

test.run();
