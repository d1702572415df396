/** Carries out the steps of the suite `cni`: each is one run of the plugin that the daemon installed. */
import { runPlugin } from "../plugin.ts";
import type { Act, Json, Step } from "./vector.ts";

type JsonObject = { readonly [key: string]: Json };

export const act: Act = async (step, { places, vector }) => {
  const container = String(step.container ?? "c1");
  const env: Record<string, string> = {
    CNI_COMMAND: step.do,
    CNI_CONTAINERID: container,
    CNI_IFNAME: String(step.ifname ?? "net1"),
    CNI_NETNS: "/run/netns/there-is-none",
    CNI_PATH: places.BIN_DIR ?? "",
    CNI_ARGS: String(step.args ?? podArguments(container)),
  };
  for (const [name, value] of Object.entries((step.env ?? {}) as JsonObject)) {
    if (value === null) delete env[name];
    else env[name] = String(value);
  }
  const outcome = await runPlugin({
    binary: `${places.BIN_DIR}/nv-ipam`,
    env,
    stdin: typeof step.stdin === "string" ? step.stdin : JSON.stringify(withConfDir(step, vector.config, places)),
  });
  return observed(outcome.exit, outcome.stdout, step);
};

function podArguments(container: string): string {
  return `IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-${container};K8S_POD_UID=uid-${container}`;
}

/** The plugin finds the daemon through the nv-ipam.conf that the daemon wrote. */
function withConfDir(step: Step, common: Json | undefined, places: Readonly<Record<string, string>>): Json {
  const config = (step.config ?? common ?? {}) as JsonObject;
  const { ipam } = config;
  if (typeof ipam !== "object" || ipam === null || "confDir" in ipam) return config;
  return { ...config, ipam: { ...ipam, confDir: places.CONF_DIR ?? "" } };
}

function observed(exit: number, stdout: string, step: Step): Json {
  if (exit === 0) {
    if (stdout.trim() === "") return { ok: true };
    const result = JSON.parse(stdout) as JsonObject;
    return { ok: true, result: withoutEmptyDns(result, step) };
  }
  const error = JSON.parse(stdout) as JsonObject;
  if (!Number.isInteger(error.code) || typeof error.msg !== "string") return { ok: false, malformed: true };
  return step.strict === true ? { ok: false, code: error.code ?? null } : { ok: false };
}

/** An empty `dns` means the same as none. */
function withoutEmptyDns(result: JsonObject, step: Step): Json {
  const expected = (step.expect as JsonObject | undefined)?.result as JsonObject | undefined;
  const { dns, ...rest } = result;
  const empty = typeof dns === "object" && dns !== null && Object.keys(dns).length === 0;
  if (dns !== undefined && !empty) return result;
  return expected?.dns === undefined ? rest : { ...rest, dns: {} };
}
