/** A client of the API server that a command line and the environment name. */
import { ok, type Result } from "../result.ts";
import { KubeClient } from "./client.ts";
import { type ConfigSources, loadConfig } from "./config.ts";
import { Connection } from "./connection.ts";
import type { KubeError } from "./error.ts";

/** Finds the configuration; nothing is asked of the server yet. @returns the error `credentials` when there is none. */
export function connect(sources: ConfigSources, userAgent: string): Result<KubeClient, KubeError> {
  const config = loadConfig(sources);
  return config.ok ? ok(new KubeClient(new Connection(config.value, { userAgent }))) : config;
}
