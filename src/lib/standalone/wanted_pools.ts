/** What the manifests of a directory ask for. Pure. */
import { duplicatePools, formatManifestProblem, type ManifestProblem, parseManifests } from "../api/manifests.ts";
import type { Pool } from "../api/types.ts";
import { fail, ok, type Result } from "../result.ts";
import type { ManifestFile } from "./pool_directory.ts";

/** The pools of manifests without a mistake. */
export interface WantedPools {
  readonly pools: readonly Pool[];
  readonly warnings: readonly string[];
}

/** How to say that there shall be no pool. */
const EMPTY_LIST = '{"apiVersion": "v1", "kind": "List", "items": []}';

/**
 * Reads the manifests of a directory, all or nothing. A file without content is one that is being written, and a directory
 * without pools where there were some is one that is not mounted yet: each is a mistake, as it would take all blocks.
 *
 * @param hadPools whether pools were dealt before.
 * @returns each mistake with its place.
 */
export function wantedPools(
  files: readonly ManifestFile[],
  directory: string,
  hadPools: boolean,
): Result<WantedPools, readonly string[]> {
  const read = files.map(({ path, text }) => parseManifests(text, path));
  const found = read.flatMap(({ pools }) => pools);
  const mistakes = [
    ...files.flatMap(blankFile),
    ...read.flatMap(({ problems }) => problems),
    ...duplicatePools(found),
  ].map(formatManifestProblem);
  if (mistakes.length === 0 && found.length === 0 && hadPools && !read.some(({ saysNone }) => saysNone)) {
    mistakes.push(
      `${directory}: holds no pool; if there shall be none, write a file with an empty List: ${EMPTY_LIST}`,
    );
  }
  if (mistakes.length > 0) return fail(mistakes);
  const warnings = read.flatMap((manifests) => manifests.warnings).map(formatManifestProblem);
  return ok({ pools: found.map(({ pool }) => pool), warnings });
}

function blankFile({ path: file, text }: ManifestFile): readonly ManifestProblem[] {
  if (text.trim() !== "") return [];
  return [{ file, line: 1, field: "", message: "is empty; write it, or delete it if its pools shall go" }];
}
