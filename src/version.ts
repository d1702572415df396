/** Which build this is. */

/** What the build knows of itself. */
export interface BuildInfo {
  /** The package's version. */
  readonly version: string;
  /** The git commit, with "-dirty" where files differed from it; "unknown" outside a git checkout. */
  readonly commit: string;
  /** The commit's date in ISO 8601, UTC; "unknown" outside a git checkout. */
  readonly date: string;
}

/** Put in by the build. */
declare const NV_IPAM_BUILD: BuildInfo;

/** This build; the version is "source" when the sources run as they are. */
export const BUILD: BuildInfo =
  typeof NV_IPAM_BUILD === "undefined" ? { version: "source", commit: "unknown", date: "unknown" } : NV_IPAM_BUILD;

/** This build in one line. */
export function describeBuild(): string {
  return `nv-ipam ${BUILD.version}, commit ${BUILD.commit} of ${BUILD.date}`;
}
