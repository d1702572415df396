/** cert-manager's two kinds, as far as the overlay uses them. */
import type { KubeClient } from "../../../src/lib/kube/client.ts";
import type { Resource } from "../../../src/lib/kube/object.ts";
import { must, until } from "../_pools.ts";

const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
const GROUP = "cert-manager.io";
const text = { type: "string" };

/** The specs, with every field that is allowed in them. */
const SPECS = {
  Issuer: { selfSigned: { type: "object" } },
  Certificate: {
    secretName: text,
    dnsNames: { type: "array", items: text },
    issuerRef: { type: "object", required: ["name"], properties: { kind: text, name: text } },
    privateKey: { type: "object", properties: { algorithm: text, rotationPolicy: text } },
  },
} as const;

/** Defines them, and waits until they are served. */
export async function installCertManagerKinds(client: KubeClient): Promise<void> {
  for (const [kind, properties] of Object.entries(SPECS)) {
    const plural = `${kind.toLowerCase()}s`;
    const schema = { type: "object", properties: { spec: { type: "object", properties } } };
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: `${plural}.${GROUP}` },
      spec: {
        group: GROUP,
        scope: "Namespaced",
        names: { kind, plural },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: schema } }],
      },
    };
    must(await client.create(CRDS, undefined, crd));
    await until(async () => (await client.list({ group: GROUP, version: "v1", plural })).ok, `${plural} are served`);
  }
}
