/** Keeps the pools as they were dealt, so that a restart changes no block. */
import { readFile, writeFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { parsePool } from "../api/parse.ts";
import type { Pool } from "../api/types.ts";
import { hasCode } from "../disk/has_code.ts";
import { placeFile } from "../disk/place_file.ts";
import { fail, ok, type Result } from "../result.ts";

const FORMAT = "nv-ipam standalone pools";
const VERSION = 1;

/**
 * Reads the pools; undefined when there is no file.
 *
 * @returns a message that names the file when it is damaged or of a later format: to go on without it could give a node's
 *   block to another.
 */
export async function readState(path: string): Promise<Result<readonly Pool[] | undefined, string>> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return ok(undefined);
    return fail(`${path}: cannot be read: ${error instanceof Error ? error.message : String(error)}`);
  }
  const advice = "restore it from a backup, or move it away to have all blocks dealt anew";
  const document = parseJson(text);
  if (document?.format !== FORMAT) return fail(`${path}: is damaged; ${advice}`);
  if (document.version !== VERSION) return fail(`${path}: was written by another version; use that one, or ${advice}`);
  if (!Array.isArray(document.pools) || document.checksum !== checksumOf(document.pools)) {
    return fail(`${path}: is damaged; ${advice}`);
  }
  const pools: Pool[] = [];
  for (const value of document.pools) {
    const pool = parsePool(value);
    if (!pool.ok) return fail(`${path}: holds what is no pool (${pool.error[0]?.path ?? ""}); ${advice}`);
    pools.push(pool.value);
  }
  return ok(pools);
}

/** Writes the pools so that a crash leaves the old or the new file. @throws what the file system says. */
export async function writeState(path: string, pools: readonly Pool[]): Promise<void> {
  const text = `${JSON.stringify({ format: FORMAT, version: VERSION, checksum: checksumOf(pools), pools }, null, 1)}\n`;
  await placeFile(path, 0o600, (temporary) => writeFile(temporary, text, { mode: 0o600, flag: "wx" }));
}

/** CRC-32 of the pools as JSON without blanks, in hexadecimal. */
function checksumOf(pools: readonly unknown[]): string {
  return crc32(JSON.stringify(pools)).toString(16);
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
