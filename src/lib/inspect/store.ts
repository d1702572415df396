/** `inspect store`: how a store's files are. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { readStore } from "../journal/store.ts";
import { fail, ok, type Result } from "../result.ts";
import { head, type StoreReport } from "./report.ts";

/** Beside a running daemon one reading may see the middle of a change, and a loss where there is none. */
const READINGS = 3;

/** Reads a store without changing anything; beside a running daemon what it shows may be a moment old. */
export async function storeReport(storeFile: string): Promise<Result<StoreReport, string>> {
  let store = await readStore({ storeFile });
  for (let n = 1; n < READINGS && (!store.ok || store.value.state === "damaged"); n++)
    store = await readStore({ storeFile });
  if (!store.ok) return fail(store.error.message);
  const { state, source: content, generation, problems } = store.value;
  if (state === "new") return fail(`there is no store at ${storeFile}`);
  const source = { type: "store", place: storeFile, node: "" } as const;
  return ok({
    ...head("StoreReport", { source, notes: [] }),
    state,
    content,
    generation,
    reservations: store.value.content.reservations.length,
    pools: store.value.content.pools.length,
    files: await filesOf(storeFile),
    problems,
  });
}

/** The store file and those whose names begin with its own. */
async function filesOf(storeFile: string): Promise<StoreReport["files"]> {
  const name = basename(storeFile);
  const names = (await readdir(dirname(storeFile))).filter((each) => each === name || each.startsWith(`${name}.`));
  const files = await Promise.all(
    names.sort().map(async (each) => {
      // It may go while we look.
      const found = await stat(join(dirname(storeFile), each)).catch(() => undefined);
      return found === undefined ? [] : [{ name: each, bytes: found.size, modifiedAt: found.mtime.toISOString() }];
    }),
  );
  return files.flat();
}
