/** The container image's file system, as scripts/image lays it out for the Dockerfile. */
import { execFileSync, spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { roleNames } from "../../scripts/_bundle.ts";
import { need } from "../_need.ts";

need("root");
need("dist/nv-ipam");
const ROOT = join(import.meta.dirname, "../..");

const directory = mkdtempSync(join(tmpdir(), "nv-ipam-image-"));
const image = join(directory, "image");
execFileSync(join(ROOT, "scripts/image"), [image]);
const test = suite("image");
test.after(() => rmSync(directory, { recursive: true, force: true }));

/** A program of the image, with nothing but the image around it. */
function inside(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  return spawnSync("chroot", [image, program, ...args], {
    env: { PATH: process.env.PATH ?? "", ...env },
    encoding: "utf8",
  });
}

test("the Dockerfile's last stage adds to its base what scripts/image lays out, and nothing else", () => {
  const text = readFileSync(join(ROOT, "Dockerfile"), "utf8").replaceAll(/\\\n\s*/g, "");
  const [build = "", last = ""] = text.split(/^FROM \$\{BASE\}\n/m);
  assert.match(build, /^ARG BASE=scratch$/m);
  assert.match(build, /^RUN .*scripts\/image --arch "\$arch" \/image$/m);
  assert.equal(last.trim().split("\n"), ["COPY --from=build /image/ /", 'ENTRYPOINT ["/nv-ipam"]']);
});

test("it has the executable, its names, and libraries, but no program besides", () => {
  assert.equal(
    [readlinkSync(join(image, "ipam-controller")), readlinkSync(join(image, "ipam-node"))],
    ["nv-ipam", "nv-ipam"],
  );
  const files = globSync("**", { cwd: image, withFileTypes: true }).filter((entry) => entry.isFile());
  const others = files.map(({ name }) => name).filter((name) => !/\.so(\.\d+)*$/.test(name));
  assert.equal(others.sort(), ["nsswitch.conf", "nv-ipam"]);
});

for (const role of roleNames()) {
  test(`${role} runs from it`, () => {
    const args = role === "help" || role === "version" ? [] : ["--help"];
    const { status, stdout, stderr } = inside("/nv-ipam", [role, ...args]);
    assert.equal([status, stderr], [0, ""]);
    assert.match(stdout, /nv-ipam/);
  });
}

test("the names that the original's manifests call are the roles, and the plugin runs from it too", () => {
  for (const role of ["controller", "node"]) {
    assert.is(inside(`/ipam-${role}`, ["--help"]).stdout, inside("/nv-ipam", [role, "--help"]).stdout);
  }
  const { status, stdout } = inside("/nv-ipam", [], { CNI_COMMAND: "VERSION" });
  assert.is(status, 0);
  assert.ok(JSON.parse(stdout).supportedVersions.includes("1.1.0"), stdout);
});

test.run();
