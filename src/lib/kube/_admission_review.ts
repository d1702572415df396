/** Reads AdmissionReview, from bytes that anybody may have sent. */
import { fail, ok, type Result } from "../result.ts";
import type { AdmissionRequest } from "./admission.ts";

type Members = Readonly<Record<string, unknown>>;

const OPERATIONS: ReadonlySet<unknown> = new Set(["CREATE", "UPDATE", "DELETE", "CONNECT"]);

/** The request of a review, or what is wrong with it. */
export function parseReview(body: Buffer): Result<AdmissionRequest, string> {
  const review = parse(body);
  const request = members(review?.request);
  const kind = members(request?.kind);
  if (review?.apiVersion !== "admission.k8s.io/v1" || review.kind !== "AdmissionReview" || request === undefined) {
    return fail("the body is not an AdmissionReview of admission.k8s.io/v1");
  }
  const { uid, operation } = request;
  if (typeof uid !== "string" || uid === "" || !OPERATIONS.has(operation) || kind === undefined) {
    return fail("the review's request lacks uid, operation or kind");
  }
  return ok({
    uid,
    operation: operation as AdmissionRequest["operation"],
    kind: { group: text(kind.group), version: text(kind.version), kind: text(kind.kind) },
    namespace: text(request.namespace),
    name: text(request.name),
    subResource: text(request.subResource),
    dryRun: request.dryRun === true,
    object: request.object ?? undefined,
    oldObject: request.oldObject ?? undefined,
  });
}

function parse(body: Buffer): Members | undefined {
  try {
    return members(JSON.parse(body.toString("utf8")));
  } catch {
    return undefined;
  }
}

function members(value: unknown): Members | undefined {
  return typeof value === "object" && value !== null ? (value as Members) : undefined;
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
