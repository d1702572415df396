/** kubectl, as a user runs it. */
import { need } from "../_need.ts";
import type { Manifest } from "../manifests.ts";
import { runProgram } from "../program.ts";
import { tied } from "./_tied.ts";

export const KUBECTL = need("kubectl");

/** How kubectl merges: in the server, or with what it noted in an annotation. */
export type ApplyMode = "server-side" | "client-side";

/** kubectl for one kubeconfig. */
export class Kubectl {
  readonly #kubeconfig: string;

  constructor(kubeconfig: string) {
    this.#kubeconfig = kubeconfig;
  }

  /** @returns what it printed. @throws with what it complained about; also about a warning. */
  async run(args: readonly string[], input = ""): Promise<string> {
    const own = [`--kubeconfig=${this.#kubeconfig}`, `--cache-dir=${this.#kubeconfig}-cache`];
    // It tries for minutes to reach an API server that has gone with the process that started both.
    const { exit, stdout, stderr } = await runProgram(...tied(KUBECTL, [...own, ...args]), {
      input,
    });
    if (exit !== 0 || /^Warning:/m.test(stderr)) {
      throw new Error(`kubectl ${args.join(" ")} ended with ${exit}: ${stdout}${stderr}`);
    }
    return stdout;
  }

  apply(
    objects: readonly Manifest[] | string,
    mode: ApplyMode = "server-side",
    ...more: readonly string[]
  ): Promise<string> {
    const text = typeof objects === "string" ? objects : toText(objects);
    return this.run(["apply", `--server-side=${mode === "server-side"}`, ...more, "--filename=-"], text);
  }
}

/** The objects as one text, which kubectl reads. */
export function toText(objects: readonly Manifest[]): string {
  return objects.map((object) => JSON.stringify(object)).join("\n---\n");
}
