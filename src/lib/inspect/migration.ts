/** `inspect migration`: what is in the way of taking a cluster over from the original. Pure. */
import { FieldErrors } from "../api/field_error.ts";
import { parsePool } from "../api/parse.ts";
import type { PoolObject } from "../api/types.ts";
import { listText } from "../planner/findings.ts";
import { check } from "./check.ts";
import type { ClusterContent } from "./content.ts";
import { type Finding, finding, sorted } from "./finding.ts";
import { head, type List } from "./report.ts";

/** What `kubectl apply` was last given. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
/** The CRDs have CEL rules that older API servers do not know. */
const LEAST_MINOR = 31;

/**
 * All that a check of the cluster finds, and what will be different under our CRDs.
 *
 * @param version what the API server says at /version; undefined where it did not tell.
 */
export function migration(
  content: ClusterContent,
  version: ServerVersion | undefined,
  now: Date,
): List<"FindingList", Finding> {
  const { items } = check(content, now);
  const found = [...items, ...versionFindings(version), ...content.pools.flatMap(writtenOtherwise)];
  return { ...head("FindingList", content), items: sorted(found) };
}

/** Kubernetes' version. */
export interface ServerVersion {
  readonly major: number;
  readonly minor: number;
}

/** Reads the answer of /version; managed clusters write minors such as "29+". */
export function readServerVersion(text: string): ServerVersion | undefined {
  const [, major] = /"major":\s*"(\d+)/.exec(text) ?? [];
  const [, minor] = /"minor":\s*"(\d+)/.exec(text) ?? [];
  return major === undefined || minor === undefined ? undefined : { major: Number(major), minor: Number(minor) };
}

function versionFindings(version: ServerVersion | undefined): readonly Finding[] {
  if (version === undefined || version.major > 1 || version.minor >= LEAST_MINOR) return [];
  const message = `the API server is ${version.major}.${version.minor}; the CRDs as they are need 1.${LEAST_MINOR}: strip their CEL rules (docs/migration.md)`;
  return [finding("warning", "UnsupportedVersion", {}, message)];
}

/**
 * Members that a manifest has and the stored object has not: the CRD that was there cut them off, and the original never saw
 * them. Applied again under a CRD that knows them, they count.
 */
function writtenOtherwise({ kind, metadata, ...pool }: PoolObject): readonly Finding[] {
  const manifest = parseJson(metadata.annotations?.[LAST_APPLIED]);
  if (manifest === undefined) return [];
  const about = { poolKind: kind, pool: metadata.name };
  const unknown = new FieldErrors();
  const parsed = parsePool(manifest, unknown);
  const found: Finding[] = [];
  const strange = unknown.list().map(({ path }) => path);
  if (strange.length > 0) {
    const message = `its manifest has members that no pool has, which are left out: ${listText(strange)}`;
    found.push(finding("warning", "WrittenOtherwise", about, message));
  }
  const stored = "spec" in pool ? pool.spec : undefined;
  if (!parsed.ok || stored === undefined) return found;
  const silent = (["defautGateway", "perNodeExclusions"] as const).filter(
    (name) => parsed.value.spec[name] !== undefined && stored[name] === undefined,
  );
  if (silent.length > 0) {
    const message = `its manifest has ${listText(silent)}, which the cluster's CRD has cut off: it takes effect when the manifest is applied again under the new CRDs`;
    found.push(finding("warning", "WrittenOtherwise", about, message));
  }
  return found;
}

function parseJson(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
