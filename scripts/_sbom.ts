/** The software bill of materials of the executable, as CycloneDX 1.6 (https://cyclonedx.org/docs/1.6/json/). */
import type { BuildInfo } from "../src/version.ts";
import type { BundledPackage } from "./_bundled_packages.ts";

/** Libraries inside Node, as it names them itself; the others of process.versions are versions of interfaces and data. */
const NODE_PARTS = [
  "acorn",
  "ada",
  "amaro",
  "ares",
  "brotli",
  "icu",
  "llhttp",
  "merve",
  "nbytes",
  "ncrypto",
  "nghttp2",
  "openssl",
  "simdjson",
  "simdutf",
  "sqlite",
  "undici",
  "uv",
  "uvwasi",
  "v8",
  "zlib",
  "zstd",
];

/** Writes it. Equal packages and builds give equal texts: its time is the commit's. */
export function sbom(info: BuildInfo, node: BundledPackage, packages: readonly BundledPackage[]): string {
  const product = { ...component("application", "nv-ipam", info.version), licenses: expression("Apache-2.0") };
  const revision = { name: "commit", value: info.commit };
  const parts = packages.map((each) => npmComponent(each));
  const document = {
    $schema: "http://cyclonedx.org/schema/bom-1.6.schema.json",
    bomFormat: "CycloneDX",
    specVersion: "1.6",
    version: 1,
    metadata: {
      ...(info.date === "unknown" ? {} : { timestamp: info.date }),
      component: { ...product, properties: [revision] },
    },
    components: [nodeComponent(node), ...parts],
    dependencies: [
      { ref: product["bom-ref"], dependsOn: [`node@${node.version}`, ...parts.map((part) => part["bom-ref"])] },
    ],
  };
  return `${JSON.stringify(document, undefined, 2)}\n`;
}

function npmComponent({ name, version, licence, sha512 }: BundledPackage) {
  const hash = sha512 && { hashes: [{ alg: "SHA-512", content: Buffer.from(sha512, "base64").toString("hex") }] };
  const purl = `pkg:npm/${name.replace("@", "%40")}@${version}`;
  return { ...component("library", name, version), ...hash, licenses: expression(licence), purl };
}

function nodeComponent({ name, version, licence }: BundledPackage) {
  const versions: Readonly<Record<string, string | undefined>> = process.versions;
  const inside = NODE_PARTS.flatMap((part) => {
    const found = versions[part];
    return found ? { ...component("library", part, found), "bom-ref": `node/${part}@${found}` } : [];
  });
  const [purl, cpe] = [`pkg:generic/node@${version}`, `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:lts:*:*:*`];
  return { ...component("platform", name, version), licenses: expression(licence), cpe, purl, components: inside };
}

function component(type: string, name: string, version: string) {
  return { type, "bom-ref": `${name}@${version}`, name, version };
}

function expression(licence: string) {
  return [{ expression: licence.replace(/^\((.*)\)$/, "$1") }];
}
