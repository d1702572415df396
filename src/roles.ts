/**
 * The code of every role but the CNI plugin: src/modes/NAME.ts. In the executable each is an asset, a bundle of its own that
 * is read when its role is wanted; in the source tree it is imported from where it lies.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runAsset } from "./asset.ts";
import { closest } from "./lib/flags/closest.ts";
import { visible } from "./lib/visible.ts";

/** What a file of src/modes exports. */
interface Role {
  /**
   * Runs the role until it is done or told to stop.
   *
   * @param args what stands after the role's name on the command line
   * @returns the exit status
   */
  run(args: readonly string[]): Promise<number>;
}

const USAGE_STATUS = 2;

/** Runs a role; an unknown one is an error that names the closest. @returns the exit status. */
export async function runRole(name: string, args: readonly string[]): Promise<number> {
  const place = process.getBuiltinModule("node:sea").isSea() ? EXECUTABLE : SOURCE_TREE;
  const names = place.names();
  if (!names.includes(name)) {
    const near = closest(name, names);
    const hint = near === undefined ? `known are ${names.join(", ")}` : `did you mean ${near}?`;
    process.stderr.write(`nv-ipam: unknown command ${JSON.stringify(name)}: ${hint}\n`);
    return USAGE_STATUS;
  }
  if (place === EXECUTABLE) withoutExtraCertificates();
  process.stderr.on("error", () => undefined);
  process.stdout.on("error", (error) => unwritten(name, error));
  // Node looks at it when a connection is made (R13): whom to trust is for the kubeconfig to say.
  delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  process.on("uncaughtException", (error: unknown) => {
    const text = error instanceof Error ? error.message : String(error);
    process.stderr.write(`nv-ipam ${name}: internal error: ${visible(text.replaceAll(/\s*\n\s*/g, "; "))}\n`);
    process.exit(1);
  });
  const role = await place.load(name);
  return role.run(args);
}

/** A reader that goes away ends nothing. What could not be written else, on a full disk, is no success. */
function unwritten(name: string, error: Error & { readonly code?: string }): void {
  if (error.code === "EPIPE") return;
  process.stderr.write(`nv-ipam ${name}: the output cannot be written: ${error.message}\n`);
  process.once("exit", () => {
    process.exitCode ||= 1;
  });
}

interface Place {
  names(): readonly string[];
  load(name: string): Role | Promise<Role>;
}

const EXECUTABLE: Place = {
  names() {
    const keys: string[] = process.getBuiltinModule("node:sea").getAssetKeys();
    return keys.filter((name) => !name.includes(".")).sort();
  },
  load(name) {
    const module = { exports: {} };
    const path = process.execPath;
    // The build makes them so, of files of src/modes only.
    (runAsset(name) as Wrapped)(module, module.exports, builtin, path, join(path, ".."));
    return module.exports as Role;
  },
};

/** A bundle as a function of what CommonJS gives a module. */
type Wrapped = (
  module: { exports: unknown },
  exports: unknown,
  require: (name: string) => unknown,
  filename: string,
  dirname: string,
) => void;

const SOURCE_TREE: Place = {
  names: () =>
    readdirSync(join(import.meta.dirname, "modes"))
      .filter((file) => /^[a-z].*\.ts$/.test(file) && file !== "cni.ts")
      .map((file) => file.slice(0, -".ts".length)),
  load(name) {
    const path = join(import.meta.dirname, "modes", `${name}.ts`);
    return import(path);
  },
};

/** `require` for an asset: all else is inside it, and nothing is looked up on disk (R13: NODE_PATH). */
function builtin(name: string): unknown {
  const module = process.getBuiltinModule(name);
  if (module !== undefined) return module;
  throw Object.assign(new Error(`module ${name} is not part of the executable`), { code: "MODULE_NOT_FOUND" });
}

/** Node has noted the variable before our code runs, so only a start without it helps (R13); the process id stays. */
function withoutExtraCertificates(): void {
  const { NODE_EXTRA_CA_CERTS, ...env } = process.env;
  if (NODE_EXTRA_CA_CERTS !== undefined)
    process.execve?.(process.execPath, [process.argv0, ...process.argv.slice(2)], env);
}
