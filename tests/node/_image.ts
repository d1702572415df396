/** Container images that need no registry, packed as `docker save` does. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { need } from "../_need.ts";

const BUSYBOX = need("busybox");
const run = promisify(execFile);

/** What pods call that of busybox. */
export const IMAGE = "docker.io/library/nv-ipam-test:1";

/** How an image is called, and what it starts. */
export interface ImageSettings {
  readonly name: string;
  readonly entrypoint: readonly string[];
  readonly stopSignal?: string;
}

/** Packs busybox into a file in the directory. @returns the file's path. */
export async function packImage(directory: string): Promise<string> {
  const root = join(directory, "root");
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(BUSYBOX, join(root, "bin", "busybox"));
  // A first process of a namespace does not hear SIGTERM unless it listens for it.
  const entrypoint = ["/bin/busybox", "sleep", "2147483647"];
  return packRoot(directory, root, { name: IMAGE, entrypoint, stopSignal: "SIGKILL" });
}

/** Packs a root directory into a file `image.tar` in the directory, as an image of one layer. @returns the file's path. */
export async function packRoot(directory: string, root: string, settings: ImageSettings): Promise<string> {
  const { name, entrypoint, stopSignal = "SIGTERM" } = settings;
  const image = join(directory, "image");
  mkdirSync(image);
  await run("tar", ["-C", root, "--owner=0", "--group=0", "-cf", join(image, "layer.tar"), "."]);
  const digest = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");
  const config = JSON.stringify({
    architecture: arch() === "x64" ? "amd64" : arch(),
    os: "linux",
    config: { Entrypoint: entrypoint, StopSignal: stopSignal },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest(readFileSync(join(image, "layer.tar")))}`] },
    history: [{ created_by: "nv-ipam's tests" }],
  });
  const file = `${digest(config)}.json`;
  writeFileSync(join(image, file), config);
  writeFileSync(
    join(image, "manifest.json"),
    JSON.stringify([{ Config: file, RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  const archive = join(directory, "image.tar");
  await run("tar", ["-C", image, "-cf", archive, "manifest.json", file, "layer.tar"]);
  return archive;
}
