/** The versions of the CNI specification that the plugin speaks, and what each of them allows. Pure. */
import type { Command } from "./environment.ts";

/** Every version of the CNI specification that the plugin speaks, oldest first. */
export const SUPPORTED_VERSIONS = ["0.1.0", "0.2.0", "0.3.0", "0.3.1", "0.4.0", "1.0.0", "1.1.0"] as const;

/** One of the supported versions. */
export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

/** What a network config without `cniVersion` means (the specification had none before 0.2.0). */
export const OLDEST_VERSION: CniVersion = "0.1.0";

/** The version that the plugin answers in where the caller's is not known. */
export const NEWEST_VERSION: CniVersion = "1.1.0";

/** The first version that has the command; commands that are not listed have always been there. */
const COMMAND_SINCE: { readonly [C in Command]?: CniVersion } = { CHECK: "0.4.0", STATUS: "1.1.0", GC: "1.1.0" };

/** Whether the text names a supported version. */
export function isSupported(text: string): text is CniVersion {
  return SUPPORTED_VERSIONS.some((version) => version === text);
}

/** Whether `version` is `other` or later. */
export function isAtLeast(version: CniVersion, other: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(other);
}

/** The version that the command needs, where the given one is too old for it. */
export function neededVersion(command: Command, version: CniVersion): CniVersion | undefined {
  const since = COMMAND_SINCE[command];
  return since === undefined || isAtLeast(version, since) ? undefined : since;
}

/** The answer to VERSION (CNI specification, "VERSION: probe plugin version support"). */
export function versionAnswer(): string {
  return `${JSON.stringify({ cniVersion: NEWEST_VERSION, supportedVersions: SUPPORTED_VERSIONS })}\n`;
}
