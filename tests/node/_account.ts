/** Programs in a machine that are a service account of the cluster, as a pod's are. */
import { chownSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Machine } from "./_machine.ts";
import type { MachineProcess } from "./_machine_process.ts";
import type { Program } from "./_manifests.ts";

const DIRECTORY = "var/run/secrets/kubernetes.io/serviceaccount";

/** What the programs of a service account know of the cluster. */
export interface Account {
  readonly token: string;
  /** PEM of the API server's authority. */
  readonly authority: string;
  readonly namespace: string;
  readonly server: { readonly host: string; readonly port: number };
}

/** Writes into a machine's root what kubelet mounts into a pod of the account, for a program of that user. */
export function writeAccount(root: string, { token, authority, namespace }: Account, { user, group }: Program): void {
  const directory = join(root, DIRECTORY);
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries({ token, "ca.crt": authority, namespace })) {
    const file = join(directory, name);
    writeFileSync(file, text, { mode: 0o600 });
    chownSync(file, user, group);
  }
}

/**
 * Starts a program as the account, restricted as its manifest says: its user, no capability, no way to get one.
 *
 * @param command in place of the manifest's own.
 */
export function startAs(
  machine: Machine,
  name: string,
  { server }: Account,
  program: Program,
  command: readonly string[] = program.command,
  flags: readonly string[] = [],
): Promise<MachineProcess> {
  const { user, group, args } = program;
  const identity = [`--reuid=${user}`, `--regid=${group}`, "--clear-groups"];
  const restrictions = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"];
  return machine.spawn(name, "setpriv", [...identity, ...restrictions, ...command, ...args, ...flags], {
    KUBERNETES_SERVICE_HOST: server.host,
    KUBERNETES_SERVICE_PORT: String(server.port),
  });
}
