/** Puts the plugin and its nv-ipam.conf where the container runtime finds them. */
import { constants, copyFile, open, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory } from "../disk/make_directory.ts";
import { placeFile } from "../disk/place_file.ts";
import { fail, ok, type Result } from "../result.ts";
import { BUILD_ID_NOTE_LENGTH, readBuildIdNote } from "./build_id.ts";

/** The name under which network configs call the plugin (`"type": "nv-ipam"`). */
export const PLUGIN_NAME = "nv-ipam";

/** Members of nv-ipam.conf: what the plugin uses where a network config says nothing. */
export interface PluginConf {
  readonly daemonSocket: string;
  readonly daemonCallTimeoutSeconds: number;
  readonly logFile: string;
  readonly logLevel: string;
  readonly forcePoolName: boolean;
  /** Whether calls without a pod are served; written by `standalone` only. */
  readonly podOptional?: true;
}

/** What to install; a part that is absent is left alone. */
export interface InstallOptions {
  /** The executable that becomes `<binDir>/nv-ipam`. */
  readonly executable?: { readonly source: string; readonly binDir: string };
  /** What becomes `<confDir>/nv-ipam.conf`. */
  readonly conf?: { readonly content: PluginConf; readonly confDir: string };
}

/** What became of a part: "unchanged" when its equal was there, and nothing was written. */
export type Installed = "written" | "unchanged" | "skipped";

/** What has been done. */
export interface InstallOutcome {
  readonly executable: Installed;
  readonly conf: Installed;
}

/** Why it could not be done, in a sentence that names the file and the flag to change. */
export interface InstallError {
  readonly code: "no-source" | "not-written";
  readonly message: string;
}

/**
 * Installs the executable, then its configuration. Missing directories are made. Executables are equal when they have the same size
 * and the same build id (`build_id.ts`); one without an id is equal to none.
 *
 * @returns the first part's error; the part after it is then not tried.
 */
export async function install(options: InstallOptions): Promise<Result<InstallOutcome, InstallError>> {
  const executable = await installExecutable(options.executable);
  if (!executable.ok) return executable;
  const conf = await installConf(options.conf);
  return conf.ok ? ok({ executable: executable.value, conf: conf.value }) : conf;
}

async function installExecutable(part: InstallOptions["executable"]): Promise<Result<Installed, InstallError>> {
  if (part === undefined) return ok("skipped");
  const { source, binDir } = part;
  const target = join(binDir, PLUGIN_NAME);
  let identity: string | undefined;
  try {
    identity = await readIdentity(source);
  } catch (error) {
    const advice =
      "name the executable to install with --cni-nv-ipam-bin-file, or install none with --cni-skip-nv-ipam-binary-copy";
    return fail({ code: "no-source", message: `cannot read the plugin to install: ${reason(error)}; ${advice}` });
  }
  try {
    if (identity !== undefined && identity === (await readIdentity(target).catch(() => undefined)))
      return ok("unchanged");
    await makeDirectory(binDir);
    await placeFile(target, 0o755, (temporary) =>
      copyFile(source, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE),
    );
    return ok("written");
  } catch (error) {
    return notWritten(target, error, "--cni-bin-dir");
  }
}

async function installConf(part: InstallOptions["conf"]): Promise<Result<Installed, InstallError>> {
  if (part === undefined) return ok("skipped");
  const path = join(part.confDir, `${PLUGIN_NAME}.conf`);
  const text = `${JSON.stringify(part.content, null, 2)}\n`;
  try {
    if (text === (await readFile(path, "utf8").catch(() => undefined))) return ok("unchanged");
    await makeDirectory(dirname(path));
    await placeFile(path, 0o644, (temporary) => writeFile(temporary, text, { flag: "wx" }));
    return ok("written");
  } catch (error) {
    return notWritten(path, error, "--cni-conf-dir");
  }
}

/** Size and build id of an executable. @returns undefined when it is no build of ours. @throws when it cannot be read. */
async function readIdentity(path: string): Promise<string | undefined> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const { buffer } = await file.read({
      buffer: Buffer.alloc(BUILD_ID_NOTE_LENGTH),
      position: Math.max(0, size - BUILD_ID_NOTE_LENGTH),
    });
    const id = readBuildIdNote(buffer);
    return id === undefined ? undefined : `${size} ${id}`;
  } finally {
    await file.close();
  }
}

function notWritten(path: string, error: unknown, flag: string): Result<never, InstallError> {
  const advice = `give a directory that can be written with ${flag}`;
  return fail({ code: "not-written", message: `cannot install ${path}: ${reason(error)}; ${advice}` });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
