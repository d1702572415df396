/** kubectl apply, as a user runs it. */
import { spawnSync } from "node:child_process";
import { need } from "../../_need.ts";
import type { Manifest } from "../../manifests.ts";

const KUBECTL = need("kubectl");

/** How kubectl merges: in the server, or with what it noted in an annotation. */
export type ApplyMode = "server-side" | "client-side";

/** kubectl for one kubeconfig. */
export class Kubectl {
  readonly #kubeconfig: string;

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  /** @returns what it printed. @throws with what it complained about; also about a warning. */
  run(args: readonly string[], input = ""): string {
    const own = [`--kubeconfig=${this.#kubeconfig}`, `--cache-dir=${this.#kubeconfig}-cache`];
    const { status, stdout, stderr } = spawnSync(KUBECTL, [...own, ...args], {
      input,
      encoding: "utf8",
      maxBuffer: 1 << 24,
    });
    if (status !== 0 || /^Warning:/m.test(stderr)) throw new Error(`kubectl ${args.join(" ")}: ${stdout}${stderr}`);
    return stdout;
  }

  apply(objects: readonly Manifest[] | string, mode: ApplyMode = "server-side", ...more: readonly string[]): string {
    const text = typeof objects === "string" ? objects : toText(objects);
    return this.run(["apply", `--server-side=${mode === "server-side"}`, ...more, "--filename=-"], text);
  }
}

/** The objects as one text, which kubectl reads. */
export function toText(objects: readonly Manifest[]): string {
  return objects.map((object) => JSON.stringify(object)).join("\n---\n");
}
