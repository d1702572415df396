/** The project's own manifests, as a user applies them: what the cluster has of them, and how they start our programs. */
import { commandLine, containerOf, type Manifest, overlay, pick, type Workload } from "../manifests.ts";

/** Kinds that no controller of a test's cluster looks after: the tests start the programs, and make the certificate. */
const LEFT_OUT = ["CustomResourceDefinition", "Deployment", "DaemonSet", "Issuer", "Certificate"];

/** How a program is started. */
export interface Program {
  readonly command: readonly string[];
  /** With the values of variables in them. */
  readonly args: readonly string[];
  /** The service account that it is. */
  readonly account: string;
  readonly user: number;
  readonly group: number;
  /** Where its volumes are, by their names. */
  readonly mounts: Readonly<Record<string, string>>;
}

interface WebhookConfiguration extends Manifest {
  readonly webhooks?: readonly { readonly clientConfig: object }[];
}

const ALL: readonly WebhookConfiguration[] = overlay("certmanager");
const WORKLOADS = {
  controller: pick<Workload & { readonly spec: { readonly replicas: number } }>(ALL, "Deployment/nv-ipam-controller"),
  daemon: pick<Workload>(ALL, "DaemonSet/nv-ipam-node-ds"),
} as const;

/** What is put into the cluster before any program runs. */
export const OBJECTS = ALL.filter(({ kind, webhooks }) => !LEFT_OUT.includes(kind) && webhooks === undefined);

/** How many controllers run. */
export const CONTROLLERS = WORKLOADS.controller.spec.replicas;

/** What makes the API server ask the webhook. @param authority that the webhook's certificate is of, as PEM. */
export function webhooks(authority: string): readonly Manifest[] {
  const caBundle = Buffer.from(authority).toString("base64");
  return ALL.flatMap(({ webhooks, ...object }) => {
    if (webhooks === undefined) return [];
    return {
      ...object,
      webhooks: webhooks.map((hook) => ({ ...hook, clientConfig: { ...hook.clientConfig, caBundle } })),
    };
  });
}

/** How a program is started. @param nodeName of the node that it runs on. */
export function programOf(what: keyof typeof WORKLOADS, nodeName = ""): Program {
  const workload: Workload = WORKLOADS[what];
  const { metadata, spec } = workload;
  const { serviceAccountName, securityContext } = spec.template.spec;
  const container = containerOf(workload);
  const { command, volumeMounts = [] } = container;
  const fields = { "metadata.namespace": metadata.namespace ?? "", "spec.nodeName": nodeName };
  return {
    command,
    args: commandLine(container, fields).slice(command.length),
    account: serviceAccountName,
    user: securityContext.runAsUser,
    group: securityContext.runAsGroup,
    mounts: Object.fromEntries(volumeMounts.map(({ name, mountPath }) => [name, mountPath])),
  };
}
