/**
 * The node daemon as a process whose pools come from its standard input, one JSON line each:
 * `{"op": "put", "pool": {kind, name, spec, allocations}}`, `{"op": "delete", kind, name}`; `{"op": "settled"}` answers a
 * line when everything before it has arrived, `{"op": "ready"}` also waits until the plugin is installed.
 */
import { createInterface } from "node:readline";
import { API_VERSION, type Pool } from "../../src/lib/api/types.ts";
import { install } from "../../src/lib/cni/install.ts";
import { INSTALL_FLAGS, installOptions } from "../../src/lib/cni/install_flags.ts";
import { DAEMON_FLAGS } from "../../src/lib/daemon/flags.ts";
import { openDaemon } from "../../src/lib/daemon/open.ts";
import { PoolTable } from "../../src/lib/daemon/pool_table.ts";
import { defineFlags, parseFlags } from "../../src/lib/flags/flags.ts";
import { stderrLog } from "../../src/lib/observe/open_log.ts";
import { EXECUTABLE } from "../plugin.ts";
import type { PoolSpec } from "./vector.ts";

const flags = defineFlags({ ...DAEMON_FLAGS, ...INSTALL_FLAGS });
const parsed = parseFlags({ name: "daemon", summary: "", flags }, process.argv.slice(2));
if (!parsed.ok || parsed.value.type !== "run") throw new Error(parsed.ok ? parsed.value.type : parsed.error);
const { values } = parsed.value;

const pools = new PoolTable(values["node-name"]);
pools.replace("IPPool", []);
pools.replace("CIDRPool", []);
const log = stderrLog("daemon");
const daemon = await openDaemon({ values, pools, podOptional: false, log });
if (!daemon.ok) throw new Error(daemon.error);
const installing = install(installOptions({ ...values, "cni-nv-ipam-bin-file": EXECUTABLE }));

process.once("SIGTERM", () => daemon.value.close().then(() => process.exit(0)));

for await (const line of createInterface({ input: process.stdin })) {
  const message = JSON.parse(line);
  if (message.op === "put") pools.set(poolObject(message.pool));
  else if (message.op === "delete") pools.delete(message.kind, message.name);
  else {
    if (message.op === "ready") {
      const installed = await installing;
      if (!installed.ok) throw new Error(installed.error.message);
    }
    console.log("done");
  }
}

function poolObject({ kind, name, spec, allocations }: PoolSpec): Pool {
  const metadata = { name, uid: `uid-of-${name}` };
  // The vectors hold well-formed objects; what is wrong with one is for the daemon to find.
  return { apiVersion: API_VERSION, kind, metadata, spec, status: { allocations } } as unknown as Pool;
}
