/** Makes a single executable of a script, its assets and Node, with pkg. */
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { buildIdNote } from "../src/lib/cni/build_id.ts";
import { type Architecture, writeStrippedNode } from "./_node_binary.ts";

/**
 * Node's options inside the executable. The first keeps OPENSSL_CONF out (R13), the second keeps Node's words about
 * experimental features out of CNI logs. V8's own flags are not for us: any of them makes V8 refuse the compiled code that
 * Node brings along for its modules.
 */
export const NODE_OPTIONS = ["--openssl-config=/dev/null", "--no-warnings"];

const require = createRequire(import.meta.url);

/** Name of the asset -> its content. */
export type Assets = ReadonlyMap<string, string | Uint8Array>;

/** What to make. */
export interface Parts {
  readonly main: string;
  readonly assets: Assets;
  readonly arch: Architecture;
}

/** Writes the executable to `output`, replacing it at once when all is done. Equal parts give equal bytes. */
export async function writeExecutable({ main, assets, arch }: Parts, output: string): Promise<void> {
  const work = mkdtempSync(join(tmpdir(), "nv-ipam-build-"));
  const previousTmp = process.env.TMPDIR;
  try {
    const node = join(work, "node");
    writeStrippedNode(arch, node);
    writeFileSync(join(work, "main.js"), main);
    for (const [name, content] of assets) writeFileSync(join(work, `${name}.asset`), content);

    // pkg works in a folder that it makes in here. Node keeps the path of the main script as it is given, so it is given as seen from there.
    process.env.TMPDIR = work;
    const built = join(work, "built");
    await pkg(join(work, "main.js"), {
      targets: [{ platform: "linux", arch, nodeRange: "node24", output: built }],
      nodePath: node,
      // With nodePath this only says that a Node for another architecture is of the version that runs this: pkg cannot ask it.
      useLocalNode: true,
      seaConfig: {
        main: "../main.js",
        assets: Object.fromEntries([...assets.keys()].map((name) => [name, `../${name}.asset`])),
        disableExperimentalSEAWarning: true,
        useSnapshot: false,
        useCodeCache: false,
        execArgv: NODE_OPTIONS,
        execArgvExtension: "none",
      },
    });
    appendFileSync(built, buildIdNote(createHash("sha256").update(readFileSync(built)).digest()));
    chmodSync(built, 0o755);
    mkdirSync(dirname(output), { recursive: true });
    const beside = `${output}.${process.pid}.tmp`;
    try {
      writeFileSync(beside, readFileSync(built), { mode: 0o755 });
      renameSync(beside, output);
    } finally {
      rmSync(beside, { force: true });
    }
  } finally {
    if (previousTmp === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = previousTmp;
    rmSync(work, { recursive: true, force: true });
  }
}

type Pkg = (
  entry: string,
  options: {
    targets: readonly { platform: string; arch: string; nodeRange: string; output: string }[];
    nodePath: string;
    useLocalNode: boolean;
    seaConfig: Readonly<Record<string, unknown>>;
  },
) => Promise<void>;

/** pkg's maker of simple single executables, which its command line does not reach. */
const pkg: Pkg = require("@yao-pkg/pkg/lib-es5/sea.js").default;
