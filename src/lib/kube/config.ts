/** Which API server to talk to, and as whom. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { KubeConfig } from "@kubernetes/client-node/dist/config.js";
import { parse } from "yaml";
import { fail, ok, type Result } from "../result.ts";
import { type KubeError, localError } from "./error.ts";

const TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** Names of contexts in a message. */
const SHOWN_CONTEXTS = 10;

/** Where a configuration is looked for. */
export interface ConfigSources {
  /** The path of a kubeconfig that was asked for by name. */
  readonly path?: string | undefined;
  /** The context to use of it. Default: its current one. */
  readonly context?: string | undefined;
  /** The environment: KUBECONFIG, KUBERNETES_SERVICE_HOST and HOME are read. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/**
 * Finds the configuration: the path given, the files of $KUBECONFIG, the service account of the pod this runs in,
 * ~/.kube/config, in this order.
 *
 * @returns the error `credentials` when none is there or it cannot be read.
 */
export function loadConfig({ path, context, env }: ConfigSources): Result<KubeConfig, KubeError> {
  const files = path ? [path] : (env.KUBECONFIG ?? "").split(":").filter((file) => file !== "");
  const inCluster = Boolean(env.KUBERNETES_SERVICE_HOST) && existsSync(TOKEN_FILE);
  const home = join(env.HOME ?? "/", ".kube/config");
  if (files.length === 0 && !inCluster && existsSync(home)) files.push(home);
  try {
    if (files.length > 0) {
      const config = fromFiles(path ? files : files.filter(existsSync));
      return context ? inContext(config, context, files.join(":")) : checked(config, files.join(":"));
    }
    if (!inCluster) {
      return fail(localError("credentials", "no API server is configured: give --kubeconfig, or run in a pod"));
    }
    const config = new KubeConfig();
    config.loadFromCluster();
    return checked(config, "the pod's service account");
  } catch (error) {
    return fail(localError("credentials", `the kubeconfig ${files.join(":")} cannot be read: ${text(error)}`));
  }
}

function inContext(config: KubeConfig, context: string, source: string): Result<KubeConfig, KubeError> {
  const names = config.getContexts().map(({ name }) => name);
  if (!names.includes(context)) {
    const known = names.length === 0 ? "it has none" : `it has ${names.slice(0, SHOWN_CONTEXTS).join(", ")}`;
    return fail(localError("credentials", `${source} has no context ${JSON.stringify(context)}: ${known}`));
  }
  config.setCurrentContext(context);
  return checked(config, source);
}

function fromFiles(files: readonly string[]): KubeConfig {
  const [first, ...others] = files.map(fromFile);
  if (first === undefined) throw new Error("there is no such file");
  for (const other of others) first.mergeConfig(other);
  return first;
}

function fromFile(file: string): KubeConfig {
  const content = readFileSync(file, "utf8");
  const config = new KubeConfig();
  config.loadFromString(content);
  config.makePathsAbsolute(dirname(resolve(file)));
  // KubeConfig knows only a misspelt `token-file`; the field is `tokenFile`.
  for (const { name, user } of (parse(content)?.users ?? []) as readonly NamedUser[]) {
    const known = config.getUser(name);
    if (known === null || typeof user?.tokenFile !== "string") continue;
    const tokenFile = resolve(dirname(resolve(file)), user.tokenFile);
    Object.assign(known, { token: undefined, authProvider: { name: "tokenFile", config: { tokenFile } } });
  }
  return config;
}

interface NamedUser {
  readonly name: string;
  readonly user?: { readonly tokenFile?: unknown };
}

function checked(config: KubeConfig, source: string): Result<KubeConfig, KubeError> {
  const cluster = config.getCurrentCluster();
  if (cluster === null) return fail(localError("credentials", `${source} has no current context with a cluster`));
  if (!URL.canParse(cluster.server)) {
    return fail(localError("credentials", `${source}: the server of its current cluster is not an URL`));
  }
  // KubeConfig refuses plain HTTP unless the certificates, that there are none of, need not be verified.
  if (cluster.server.startsWith("http:")) Object.assign(cluster, { skipTLSVerify: true });
  return ok(config);
}

/** What went wrong, without what YAML parsers quote: a kubeconfig holds secrets. */
function text(error: unknown): string {
  const { mark, linePos } = error as { mark?: { line: number }; linePos?: readonly { line: number }[] };
  const line = mark === undefined ? linePos?.[0]?.line : mark.line + 1;
  if (line !== undefined) return `line ${line} is no YAML`;
  return error instanceof Error ? error.message : String(error);
}
