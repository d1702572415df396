/** kubectl, as a user runs it. */
import { execFile } from "node:child_process";
import { need } from "../_need.ts";

export const KUBECTL = need("kubectl");

/** Runs it to its end. @param input its stdin. @throws with what it said, unless it exits with 0. */
export function kubectl(args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { maxBuffer: 1 << 26, timeout: 60_000 };
    const child = execFile(KUBECTL, args, options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else reject(new Error(`kubectl ${args.join(" ")}: ${stdout}${stderr}`, { cause: error }));
    });
    child.stdin?.end(input);
  });
}
