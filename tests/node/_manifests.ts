/** The project's own manifests, as a user applies them: what the cluster has of them, and how they start our programs. */
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import type { KubeObject } from "../../src/lib/kube/object.ts";
import { kubectl } from "./_kubectl.ts";

const OVERLAY = join(import.meta.dirname, "../../manifests/overlays/certmanager");

/** Kinds that no controller of a test's cluster looks after: the tests start the programs, and make the certificate. */
const LEFT_OUT: readonly unknown[] = ["CustomResourceDefinition", "Deployment", "DaemonSet", "Issuer", "Certificate"];

/** The parts of a manifest that are looked at. */
interface Manifest extends KubeObject {
  readonly spec?: {
    readonly replicas?: number;
    readonly template?: { readonly spec: PodSpec };
  };
  readonly webhooks?: readonly { readonly clientConfig: object }[];
}

interface PodSpec {
  readonly serviceAccountName: string;
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
  readonly containers: readonly [Container];
}

interface Container {
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
  }[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

/** How a program is started. */
export interface Program {
  readonly command: readonly string[];
  /** With the environment's values in them. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The service account that it is. */
  readonly account: string;
  readonly user: number;
  readonly group: number;
  /** Where its volumes are, by their names. */
  readonly mounts: Readonly<Record<string, string>>;
}

export class Manifests {
  readonly #all: readonly Manifest[];

  private constructor(all: readonly Manifest[]) {
    this.#all = all;
  }

  /** Reads them, put together by kustomize. */
  static async read(): Promise<Manifests> {
    const text = await kubectl(["kustomize", OVERLAY]);
    return new Manifests(parseAllDocuments(text).map((document) => document.toJS() as Manifest));
  }

  /** What is put into the cluster before any program runs. */
  get objects(): readonly KubeObject[] {
    return this.#all.filter(({ kind, webhooks }) => !LEFT_OUT.includes(kind) && webhooks === undefined);
  }

  /** What makes the API server ask the webhook. @param authority that the webhook's certificate is of, as PEM. */
  webhooks(authority: string): readonly KubeObject[] {
    const caBundle = Buffer.from(authority).toString("base64");
    return this.#all.flatMap(({ webhooks, ...object }) => {
      if (webhooks === undefined) return [];
      return {
        ...object,
        webhooks: webhooks.map((hook) => ({ ...hook, clientConfig: { ...hook.clientConfig, caBundle } })),
      };
    });
  }

  /** How many controllers run. */
  get controllers(): number {
    return this.#of("Deployment").spec?.replicas ?? 1;
  }

  /** @param nodeName of the node that it runs on. */
  program(kind: "Deployment" | "DaemonSet", nodeName = ""): Program {
    const { metadata, spec } = this.#of(kind);
    const pod = spec?.template?.spec;
    if (pod === undefined) throw new Error(`the ${kind} has no template`);
    const [container] = pod.containers;
    const fields: Readonly<Record<string, string | undefined>> = {
      "metadata.namespace": metadata.namespace,
      "spec.nodeName": nodeName,
    };
    const env: Record<string, string> = {};
    for (const { name, value, valueFrom } of container.env) {
      const found = value ?? fields[valueFrom?.fieldRef.fieldPath ?? ""];
      if (found === undefined) throw new Error(`nobody here knows the value of ${name} in the ${kind}`);
      env[name] = found;
    }
    return {
      command: container.command,
      args: container.args.map((arg) => arg.replaceAll(/\$\((\w+)\)/g, (text, name: string) => env[name] ?? text)),
      env,
      account: pod.serviceAccountName,
      user: pod.securityContext.runAsUser,
      group: pod.securityContext.runAsGroup,
      mounts: Object.fromEntries((container.volumeMounts ?? []).map(({ name, mountPath }) => [name, mountPath])),
    };
  }

  #of(kind: string): Manifest {
    const found = this.#all.filter((object) => object.kind === kind);
    const [first] = found;
    if (first === undefined || found.length > 1) throw new Error(`the manifests have ${found.length} of kind ${kind}`);
    return first;
  }
}
