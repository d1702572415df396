/** The two HTTP endpoints of every long-running role: probes, and metrics. */
import { defineFlags } from "../flags/flags.ts";
import { fail, ok, type Result } from "../result.ts";
import { parseBindAddress, type Routes, serveHttp } from "./http_endpoint.ts";
import type { Log } from "./log.ts";
import { type ReadinessChecks, readiness } from "./readiness.ts";

/** An address that turns its endpoint off. */
const OFF = "0";

/** What is served. */
export interface EndpointOptions {
  readonly healthProbeAddress: string;
  readonly checks: ReadinessChecks;
  readonly metricsAddress: string;
  /** Where metrics are off, none need to be kept. */
  readonly metrics: Routes;
  readonly log: Log;
}

/** The endpoints' flags. @param section of the help. @param defaults where they listen unless a flag says it. */
export function endpointFlags(section: string, defaults: { readonly probes: string; readonly metrics: string }) {
  const flag = (help: string, address: string) =>
    ({ type: "string", default: address, help: `${help}. ${OFF} turns it off`, section, refuse }) as const;
  return defineFlags({
    "health-probe-bind-address": flag("The address the probe endpoint binds to", defaults.probes),
    "metrics-bind-address": flag("The address the metric endpoint binds to", defaults.metrics),
  });
}

function refuse(address: string): string | undefined {
  if (address === OFF || parseBindAddress(address) !== undefined) return undefined;
  return `write :8080 or 127.0.0.1:8080, or ${OFF} to turn it off`;
}

/** Whether an address says that there is to be an endpoint. */
export function isOn(address: string): boolean {
  return address !== OFF;
}

/** Opens `/healthz` and `/readyz`, and `/metrics`. @returns how they are closed, or which could not be opened and why. */
export async function openEndpoints(options: EndpointOptions): Promise<Result<() => Promise<void>, string>> {
  const { healthProbeAddress, metricsAddress, checks, metrics, log } = options;
  const probes: Routes = {
    "/healthz": () => ({ status: 200, body: "ok\n" }),
    "/readyz": () => readiness(checks),
  };
  const closings: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(closings.map((each) => each()));
  };
  for (const [what, flag, address, routes] of [
    ["probes", "health-probe-bind-address", healthProbeAddress, probes],
    ["metrics", "metrics-bind-address", metricsAddress, metrics],
  ] as const) {
    if (!isOn(address)) continue;
    const opened = await serveHttp(address, routes);
    if (!opened.ok) {
      await close();
      return fail(`--${flag}: ${opened.error}`);
    }
    closings.push(opened.value.close);
    log.info("Listening", { for: what, address: opened.value.address });
  }
  return ok(close);
}
