/** The project's manifests as kustomize renders them, and what they say about how the programs are to be run. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { need } from "./_need.ts";

const KUBECTL = need("kubectl");
const MANIFESTS = join(import.meta.dirname, "../manifests");

/** The overlays that README and docs name. */
export const OVERLAYS = ["no-webhook", "certmanager", "openshift"] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** Any object of a manifest. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** A Role or ClusterRole. */
export interface RoleManifest extends Manifest {
  readonly rules: readonly Rule[];
}

/** One rule of it. */
export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly verbs: readonly string[];
}

/** A Deployment or DaemonSet, as far as tests read it. */
export interface Workload extends Manifest {
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

export interface PodSpec {
  readonly serviceAccountName: string;
  readonly securityContext: { readonly runAsUser: number; readonly runAsGroup: number };
  readonly containers: readonly Container[];
  readonly volumes?: readonly { readonly name: string; readonly hostPath?: { readonly path: string } }[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly env: readonly EnvironmentVariable[];
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface EnvironmentVariable {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly fieldRef: { readonly fieldPath: string } };
}

/** What kubectl makes of a kustomization. @param path absolute, or below manifests/ */
export function kustomize(path: string): string {
  const directory = path.startsWith("/") ? path : join(MANIFESTS, path);
  return execFileSync(KUBECTL, ["kustomize", directory], { encoding: "utf8", maxBuffer: 1 << 24 });
}

/** The objects of an overlay. */
export function overlay(name: Overlay): readonly Manifest[] {
  return parseManifests(kustomize(`overlays/${name}`));
}

/** The objects of a text with YAML documents; empty ones are left out. */
export function parseManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document) => {
      if (document.errors[0] !== undefined) throw document.errors[0];
      return document.toJS() as Manifest | null;
    })
    .filter((object) => object !== null);
}

/** `Kind/name`, by which the objects of one set of manifests differ. */
export function manifestKey({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}

/** The object of that kind and name. */
export function pick<T extends Manifest>(objects: readonly Manifest[], key: string): T {
  const found = objects.find((object) => manifestKey(object) === key);
  if (found === undefined) throw new Error(`there is no ${key} in the manifests`);
  return found as T;
}

/** The only container of a workload. */
export function containerOf({ metadata, spec }: Workload): Container {
  const [container, ...others] = spec.template.spec.containers;
  if (container === undefined || others.length > 0) throw new Error(`${metadata.name} has not exactly one container`);
  return container;
}

/** A container's command line as kubelet makes it: with its variables' values, those of fields from `fields` by their paths. */
export function commandLine(
  { command, args, env }: Container,
  fields: Readonly<Record<string, string>>,
): readonly string[] {
  const values = new Map(
    env.map(({ name, value, valueFrom }) => [name, value ?? fields[valueFrom?.fieldRef.fieldPath ?? ""]]),
  );
  return [...command, ...args].map((word) =>
    word.replaceAll(/\$\(([A-Z_]+)\)/g, (_, name: string) => {
      const value = values.get(name);
      if (value === undefined) throw new Error(`${word} names ${name}, which has no value`);
      return value;
    }),
  );
}
