/** A container image that needs no registry: busybox, packed as `docker save` does. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { arch } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { need } from "../_need.ts";

const BUSYBOX = need("busybox");
const run = promisify(execFile);

/** What pods call it. */
export const IMAGE = "docker.io/library/nv-ipam-test:1";

/** Packs it into a file in the directory. @returns the file's path. */
export async function packImage(directory: string): Promise<string> {
  const root = join(directory, "root");
  mkdirSync(join(root, "bin"), { recursive: true });
  copyFileSync(BUSYBOX, join(root, "bin", "busybox"));
  const image = join(directory, "image");
  mkdirSync(image);
  await run("tar", ["-C", root, "--owner=0", "--group=0", "-cf", join(image, "layer.tar"), "."]);
  const digest = (text: string | Buffer): string => createHash("sha256").update(text).digest("hex");
  const config = JSON.stringify({
    architecture: arch() === "x64" ? "amd64" : arch(),
    os: "linux",
    // A first process of a namespace does not hear SIGTERM unless it listens for it.
    config: { Entrypoint: ["/bin/busybox", "sleep", "2147483647"], StopSignal: "SIGKILL" },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest(readFileSync(join(image, "layer.tar")))}`] },
    history: [{ created_by: "nv-ipam's tests" }],
  });
  const name = `${digest(config)}.json`;
  writeFileSync(join(image, name), config);
  writeFileSync(
    join(image, "manifest.json"),
    JSON.stringify([{ Config: name, RepoTags: [IMAGE], Layers: ["layer.tar"] }]),
  );
  const file = join(directory, "image.tar");
  await run("tar", ["-C", image, "-cf", file, "manifest.json", name, "layer.tar"]);
  return file;
}
