/** What a user asked of the API server, from its audit log. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Rule } from "../../manifests.ts";

/** One request, as the server's authorizer saw it. */
export interface AuditedRequest {
  readonly user: string;
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `ippools/status`. */
  readonly resource: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly allowed: boolean;
}

/** Whether the rule, in force in the namespace or everywhere, allows the request. */
export function allows(rule: Rule, inNamespace: string | undefined, request: AuditedRequest): boolean {
  const { apiGroups, resources, resourceNames, verbs } = rule;
  return (
    (inNamespace === undefined || request.namespace === inNamespace) &&
    apiGroups.includes(request.group) &&
    resources.includes(request.resource) &&
    verbs.includes(request.verb) &&
    (resourceNames === undefined || resourceNames.includes(request.name ?? ""))
  );
}

/** A log that a kube-apiserver writes; remove it at the end. */
export class AuditLog {
  readonly #directory = mkdtempSync(join(tmpdir(), "nv-ipam-audit-"));
  readonly #log = join(this.#directory, "audit.log");
  /** The server's flags that make it write. */
  readonly flags: readonly string[];

  constructor() {
    const policy = join(this.#directory, "policy.json");
    // A watch is noted when it begins.
    const rules = [{ level: "Metadata", omitStages: ["RequestReceived"] }];
    writeFileSync(policy, JSON.stringify({ apiVersion: "audit.k8s.io/v1", kind: "Policy", rules }));
    this.flags = [`--audit-policy-file=${policy}`, `--audit-log-path=${this.#log}`];
  }

  /** What the service account has asked so far. */
  requestsOf(namespace: string, serviceAccount: string): readonly AuditedRequest[] {
    interface Line {
      readonly user: { readonly username: string };
      readonly verb: string;
      readonly objectRef?: {
        readonly apiGroup?: string;
        readonly resource: string;
        readonly subresource?: string;
        readonly namespace?: string;
        readonly name?: string;
      };
      readonly annotations?: Readonly<Record<string, string>>;
    }
    const lines = readFileSync(this.#log, "utf8")
      .split("\n")
      .filter((line) => line.endsWith("}"));
    return lines
      .map((line) => JSON.parse(line) as Line)
      .filter(({ user }) => user.username === `system:serviceaccount:${namespace}:${serviceAccount}`)
      .map(({ user, verb, objectRef, annotations }) => ({
        user: user.username,
        verb,
        group: objectRef?.apiGroup ?? "",
        resource: [objectRef?.resource, objectRef?.subresource].filter((part) => part !== undefined).join("/"),
        namespace: objectRef?.namespace,
        name: objectRef?.name,
        allowed: annotations?.["authorization.k8s.io/decision"] === "allow",
      }));
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
