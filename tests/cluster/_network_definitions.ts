/** NetworkAttachmentDefinitions, which Multus brings to a cluster. */
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import { must, untilServed } from "./_pools.ts";

const CRDS: Resource = { group: "apiextensions.k8s.io", version: "v1", plural: "customresourcedefinitions" };
/** Where NetworkAttachmentDefinitions are. */
const NETWORKS = { group: "k8s.cni.cncf.io", version: "v1", plural: "network-attachment-definitions" } as const;

/** The CRD of NetworkAttachmentDefinitions, as far as anybody here looks at it. */
const NETWORK_CRD = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${NETWORKS.plural}.${NETWORKS.group}` },
  spec: {
    group: NETWORKS.group,
    scope: "Namespaced",
    names: {
      plural: NETWORKS.plural,
      singular: "network-attachment-definition",
      kind: "NetworkAttachmentDefinition",
      shortNames: ["net-attach-def"],
    },
    versions: [
      {
        name: NETWORKS.version,
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } },
      },
    ],
  },
} as const;

export async function installNetworks(client: KubeClient): Promise<void> {
  must(await client.create(CRDS, undefined, NETWORK_CRD));
  await untilServed(client, NETWORKS);
}

/** Makes one. @param config its CNI configuration. */
export async function addNetwork(client: KubeClient, namespace: string, name: string, config: unknown): Promise<void> {
  const object = {
    apiVersion: `${NETWORKS.group}/${NETWORKS.version}`,
    kind: "NetworkAttachmentDefinition",
    metadata: { name },
    spec: { config: JSON.stringify(config) },
  };
  must(await client.create(NETWORKS, namespace, object));
}
