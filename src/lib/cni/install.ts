/** Puts the plugin and its nv-ipam.conf where the container runtime finds them. */
import { constants, copyFile, open, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { hasCode } from "../disk/has_code.ts";
import { makeDirectory } from "../disk/make_directory.ts";
import { placeFile } from "../disk/place_file.ts";
import { fail, ok, type Result } from "../result.ts";
import { BUILD_ID_NOTE_LENGTH, readBuildIdNote } from "./build_id.ts";

/** The name under which network configs call the plugin (`"type": "nv-ipam"`). */
export const PLUGIN_NAME = "nv-ipam";

const EXECUTABLE_MODE = 0o755;
const CONF_MODE = 0o644;
/** What of a file's mode chmod sets. */
const MODE_BITS = 0o7777;

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
 * and the same build id (`build_id.ts`); one without an id is equal to none. What has another mode than it would get is written again.
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
  let wanted: Identity;
  try {
    wanted = await readIdentity(source);
  } catch (error) {
    const advice =
      "name the executable to install with --cni-nv-ipam-bin-file, or install none with --cni-skip-nv-ipam-binary-copy";
    return fail({ code: "no-source", message: `cannot read the plugin to install: ${reason(error)}; ${advice}` });
  }
  try {
    const there = await readIdentity(target).catch(() => undefined);
    const isSame = wanted.build !== undefined && there?.build === wanted.build && there.mode === EXECUTABLE_MODE;
    if (isSame) return ok("unchanged");
    await makeDirectory(binDir);
    await placeFile(target, EXECUTABLE_MODE, (temporary) =>
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
    if (await holds(path, text)) return ok("unchanged");
    await makeDirectory(dirname(path));
    await placeFile(path, CONF_MODE, (temporary) => writeFile(temporary, text, { flag: "wx" }));
    return ok("written");
  } catch (error) {
    return notWritten(path, error, "--cni-conf-dir");
  }
}

/** Whether the configuration is there as it would be written. */
async function holds(path: string, text: string): Promise<boolean> {
  try {
    const file = await open(path, "r");
    try {
      return ((await file.stat()).mode & MODE_BITS) === CONF_MODE && (await file.readFile("utf8")) === text;
    } finally {
      await file.close();
    }
  } catch {
    return false;
  }
}

interface Identity {
  /** Size and build id; undefined when it is no build of ours. */
  readonly build: string | undefined;
  readonly mode: number;
}

/** What an executable is known by. @throws when it cannot be read. */
async function readIdentity(path: string): Promise<Identity> {
  const file = await open(path, "r");
  try {
    const { size, mode } = await file.stat();
    const { buffer } = await file.read({
      buffer: Buffer.alloc(BUILD_ID_NOTE_LENGTH),
      position: Math.max(0, size - BUILD_ID_NOTE_LENGTH),
    });
    const id = readBuildIdNote(buffer);
    return { build: id === undefined ? undefined : `${size} ${id}`, mode: mode & MODE_BITS };
  } finally {
    await file.close();
  }
}

function notWritten(path: string, error: unknown, flag: string): Result<never, InstallError> {
  const advice = hasCode(error, "EISDIR")
    ? "move the directory of that name away"
    : `give a directory that can be written with ${flag}`;
  return fail({ code: "not-written", message: `cannot install ${path}: ${reason(error)}; ${advice}` });
}

function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
