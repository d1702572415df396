/** What `npm run release` writes, made of executables that stand for the real ones. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseAllDocuments } from "yaml";
import { writeRelease } from "../../scripts/_release.ts";
import { need } from "../_need.ts";

const kubectl = need("kubectl");
const helm = need("helm");
const ROOT = join(import.meta.dirname, "../..");
const INFO = { version: "1.2.3", commit: "0123abc", date: "2026-01-02T03:04:05.000Z" };

const directory = mkdtempSync(join(tmpdir(), "nv-ipam-release-"));
const test = suite("release");
test.after(() => rmSync(directory, { recursive: true, force: true }));

const executables = { amd64: join(directory, "amd64"), arm64: join(directory, "arm64") };
for (const [arch, path] of Object.entries(executables)) writeFileSync(path, `for ${arch}`, { mode: 0o755 });
const [first, second] = [join(directory, "first"), join(directory, "second")];
for (const output of [first, second]) await writeRelease({ info: INFO, executables, kubectl, output });

interface Component {
  readonly name: string;
  readonly version: string;
  readonly type: string;
  readonly licenses?: readonly { readonly expression: string }[];
  readonly components?: readonly Component[];
}

const { components, metadata } = JSON.parse(readFileSync(join(first, "nv-ipam-1.2.3.cdx.json"), "utf8")) as {
  readonly components: readonly Component[];
  readonly metadata: Readonly<Record<string, unknown>>;
};
const packages = components.filter(({ type }) => type === "library");

test("two releases of one commit are equal, and so are their files' times", () => {
  execFileSync("diff", ["-r", first, second]);
  for (const file of readdirSync(first)) {
    assert.is(execFileSync("stat", ["-c", "%Y", join(first, file)], { encoding: "utf8" }), "1767323045\n");
  }
});

test("SHA256SUMS has every file, as sha256sum reads it", () => {
  const checked = execFileSync("sha256sum", ["--check", "--strict", "SHA256SUMS"], { cwd: first, encoding: "utf8" });
  assert.equal(
    checked.trim().split("\n"),
    readdirSync(first)
      .filter((file) => file !== "SHA256SUMS")
      .map((file) => `${file}: OK`),
  );
  writeFileSync(join(second, "nv-ipam-1.2.3-linux-amd64"), "something else");
  assert.throws(() => execFileSync("sha256sum", ["--check", "SHA256SUMS"], { cwd: second, stdio: "ignore" }));
});

test("executables are there for both architectures", () => {
  assert.is(readFileSync(join(first, "nv-ipam-1.2.3-linux-amd64"), "utf8"), "for amd64");
  assert.is(readFileSync(join(first, "nv-ipam-1.2.3-linux-arm64"), "utf8"), "for arm64");
});

test("the chart gives what its folder gives", () => {
  const render = (chart: string): string => {
    const env = { PATH: process.env.PATH ?? "", HOME: directory };
    const args = ["template", "nv-ipam", chart, "--set=monitoring=true"];
    // It notes on stderr which links it follows.
    return execFileSync(helm, args, { env, encoding: "utf8", maxBuffer: 2 ** 26, stdio: ["ignore", "pipe", "ignore"] });
  };
  assert.is(render(join(first, "nv-ipam-1.2.3.tgz")), render(join(ROOT, "charts/nv-ipam")));
});

test("the bill of materials names the commit and its time", () => {
  assert.is(metadata.timestamp, INFO.date);
  assert.equal(Reflect.get(metadata.component as object, "properties"), [{ name: "commit", value: "0123abc" }]);
});

test("it has every package that the project depends on, with the version that is installed, and none to build and test", () => {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const listed = new Map(packages.map(({ name, version }) => [name, version]));
  for (const [name, version] of Object.entries(dependencies)) assert.is(listed.get(name), version, name);
  for (const name of Object.keys(devDependencies)) assert.not(listed.has(name), name);
});

test("docs/dependencies.md has a line for each package that it depends on", () => {
  const text = readFileSync(join(ROOT, "docs/dependencies.md"), "utf8");
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  const [inside = ""] = text.split("## To build and test");
  assert.equal(
    [...inside.matchAll(/^\| `(\S+)` \|/gm)].map(([, name]) => name),
    Object.keys(dependencies).sort(),
  );
});

/** Licences under which others' code may be part of an Apache-2.0 program, if their texts come along. */
const ACCEPTED = new Set(["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "MIT"]);

test("every package has a licence that allows it to be there, and its text comes along", () => {
  const text = readFileSync(join(first, "LICENSES.txt"), "utf8");
  for (const { name, version, licenses } of components) {
    const [{ expression } = { expression: "none" }] = licenses ?? [];
    for (const licence of expression.split(/ AND /)) assert.ok(ACCEPTED.has(licence), `${name}: ${expression}`);
    const [, after = ""] = text.split(`\n${name} ${version}: `);
    assert.match(after.split("=====\n\n")[1]?.split("=====")[0] ?? "", /copyright|permission|license/i, name);
  }
});

test("Node is in it, with what it is made of and all of their licences", () => {
  const node = components.find(({ name }) => name === "node");
  assert.is(node?.version, process.versions.node);
  const inside = new Map(node?.components?.map(({ name, version }) => [name, version]));
  for (const part of ["v8", "uv", "openssl", "sqlite", "zlib"] as const)
    assert.is(inside.get(part), process.versions[part]);
  // Not libraries but interfaces and data, and libraries that this build of Node has without a version.
  const others = ["cldr", "modules", "napi", "nghttp3", "ngtcp2", "node", "tz", "unicode"];
  assert.equal([...inside.keys(), ...others].sort(), Object.keys(process.versions).sort());
  const text = readFileSync(join(first, "LICENSES.txt"), "utf8");
  for (const part of ["V8, located at deps/v8", "OpenSSL, located at deps/openssl", "libuv, located at deps/uv"])
    assert.match(text, part);
});

/** The objects of a file, as `kind/name`. */
function objectsOf(file: string): string[] {
  const documents = parseAllDocuments(readFileSync(join(first, file), "utf8"));
  return documents.map((document) => {
    const { kind, metadata } = document.toJS();
    return `${kind}/${metadata.name}`;
  });
}

test("the CRDs come in one file", () => {
  assert.equal(objectsOf("nv-ipam-1.2.3-crds.yaml"), [
    "CustomResourceDefinition/cidrpools.nv-ipam.nvidia.com",
    "CustomResourceDefinition/ippools.nv-ipam.nvidia.com",
  ]);
});

for (const overlay of ["certmanager", "no-webhook", "openshift"]) {
  test(`overlay ${overlay} comes in one file, with CRDs, controller and daemon`, () => {
    const objects = objectsOf(`nv-ipam-1.2.3-${overlay}.yaml`);
    for (const object of [
      ...objectsOf("nv-ipam-1.2.3-crds.yaml"),
      "Deployment/nv-ipam-controller",
      "DaemonSet/nv-ipam-node-ds",
    ]) {
      assert.ok(objects.includes(object), object);
    }
    assert.is(objects.includes("Service/nv-ipam-webhook-service"), overlay !== "no-webhook");
  });
}

test("what Prometheus and Grafana need comes in one file", () => {
  assert.equal(objectsOf("nv-ipam-1.2.3-monitoring.yaml"), [
    "ConfigMap/nv-ipam-dashboard",
    "PodMonitor/nv-ipam-controller",
    "PodMonitor/nv-ipam-node",
    "PrometheusRule/nv-ipam",
  ]);
});

test.run();
