/** The CRDs of manifests/crds, and the types that they must agree with, read from the source. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";

const ROOT = join(import.meta.dirname, "../..");

/** A structural schema, as far as tests look at it. */
export interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly format?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly required?: readonly string[];
  readonly [keyword: string]: unknown;
}

/** The part of a CustomResourceDefinition that tests look at. */
export interface Crd {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly [
      {
        readonly name: string;
        readonly schema: { readonly openAPIV3Schema: Schema };
        readonly [member: string]: unknown;
      },
    ];
    readonly [member: string]: unknown;
  };
}

/** The CRD of a kind. */
export function readCrd(kind: "IPPool" | "CIDRPool"): Crd {
  return parse(readFileSync(join(ROOT, `manifests/crds/${kind.toLowerCase()}s.yaml`), "utf8"));
}

/** A CRD like the original's: its status knows allocations only, a misspelling is cut off, and it has no rules. */
export function originalCrd(crd: Crd): Crd {
  const copy = JSON.parse(
    JSON.stringify(crd, (key, member) => (key === "x-kubernetes-validations" ? undefined : member)),
  );
  const { properties } = copy.spec.versions[0].schema.openAPIV3Schema;
  properties.status.properties = { allocations: properties.status.properties.allocations };
  delete properties.spec.properties.defautGateway;
  copy.spec.versions[0].additionalPrinterColumns = [];
  return copy;
}

/** A member of an interface: whether it may be absent, and its type as it is written. */
export interface Member {
  readonly optional: boolean;
  readonly type: string;
}

/** The interfaces of src/lib/api/types.ts with their members, inherited ones too. */
export function readInterfaces(): ReadonlyMap<string, ReadonlyMap<string, Member>> {
  const text = readFileSync(join(ROOT, "src/lib/api/types.ts"), "utf8").replaceAll(/\/\*[\s\S]*?\*\//g, "");
  const interfaces = new Map<string, ReadonlyMap<string, Member>>();
  const pattern = /interface (\w+)(?:<[^{]*>)?(?: extends (\w+))? \{\n([\s\S]*?)\n\}/g;
  for (const [, name = "", parent = "", body = ""] of text.matchAll(pattern)) {
    const members = new Map<string, Member>(interfaces.get(parent) ?? []);
    for (const [, member = "", mark, type = ""] of body.matchAll(/^ {2}readonly (\w+)(\??): (.*);$/gm)) {
      members.set(member, { optional: mark === "?", type });
    }
    interfaces.set(name, members);
  }
  return interfaces;
}
