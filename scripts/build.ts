/** Builds the executable for one architecture; scripts/build calls it. */
import { statSync, utimesSync } from "node:fs";
import { parseArgs } from "node:util";
import { readBuildInfo } from "./_bundle.ts";
import { writeExecutable } from "./_executable.ts";
import { ARCHITECTURES } from "./_node_binary.ts";
import { productParts } from "./_product.ts";

const { values } = parseArgs({ options: { arch: { type: "string", default: "x64" } } });
const arch = ARCHITECTURES.find((known) => known === values.arch);
if (arch === undefined) throw new Error(`--arch ${values.arch}: known are ${ARCHITECTURES.join(" and ")}`);

const info = readBuildInfo();
const output = `dist/nv-ipam${arch === "x64" ? "" : `-${arch}`}`;
const parts = await productParts(info, arch);
await writeExecutable(parts, output);
// One time for the whole build, so that archives of it are equal too.
const time = Date.parse(info.date) / 1000 || 0;
utimesSync(output, time, time);

const kilobytes = (bytes: number) => `${Math.ceil(bytes / 1024)} KiB`;
const sizes = [...parts.assets].map(([name, content]) => `${name} ${kilobytes(content.length)}`);
console.log(`${output}: ${kilobytes(statSync(output).size)}, ${info.version} ${info.commit}`);
console.log(`assets: ${sizes.join(", ")}`);
