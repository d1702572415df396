/** A controller that stands by: what it takes in, so that it can lead. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Controller } from "../../src/lib/controller/controller.ts";
import { createLog } from "../../src/lib/observe/log.ts";
import { bookmark, type Fault, FaultServer, json, page, stall, stream } from "./_fault_server.ts";
import { until } from "./_pools.ts";

const test = suite("standby");
const NAMESPACE = "pools";

function pool(resourceVersion: string, perNodeBlockSize: number) {
  const spec = { subnet: "10.0.0.0/16", perNodeBlockSize, gateway: "10.0.0.1" };
  return { metadata: { namespace: NAMESPACE, name: "pool1", uid: "u1", resourceVersion, generation: 1 }, spec };
}

/** The version to which the data is set back. */
const RESTORED = [{ type: "ADDED", object: pool("500", 32) }, bookmark("500", true)];

interface Standby {
  readonly controller: Controller;
  readonly faults: FaultServer;
  /** Pools that metrics are to forget. */
  readonly forgotten: readonly string[];
}

/** Runs `body` with a controller of a server that shows a pool at version 1000 and, after 410, the list `then`. */
async function withController(
  then: readonly object[],
  answerPut: Fault,
  body: (standby: Standby) => Promise<void>,
): Promise<void> {
  const faults = await FaultServer.start();
  const gone = { type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired", message: "too old" } };
  const first = stream("end", { type: "ADDED", object: pool("1000", 16) }, bookmark("1000", true), gone);
  const pools = [first, stream("open", ...then)];
  faults.otherwise = (answer, asked) => {
    const { pathname, searchParams } = asked.url;
    const isList = searchParams.has("sendInitialEvents");
    if (asked.method === "PUT") answerPut(answer, asked);
    else if (pathname.endsWith("/nodes") && !searchParams.has("watch")) page("1", [])(answer, asked);
    else if (pathname.endsWith("/ippools") && isList) (pools.shift() ?? stall)(answer, asked);
    else if (pathname.endsWith("/cidrpools") && isList) stream("open", bookmark("1", true))(answer, asked);
    else stall(answer, asked);
  };
  const log = createLog({ format: "text", verbosity: 0, write: () => undefined, now: () => 0, pid: 1 });
  const client = faults.client();
  const forgotten: string[] = [];
  const observer = { reconciled: () => undefined, forget: (key: string) => forgotten.push(key) };
  const options = { client, namespace: NAMESPACE, releaseDelayMs: 0, record: () => undefined, log, observer };
  const controller = new Controller(options);
  const stop = new AbortController();
  const watching = controller.watch(stop.signal);
  try {
    await controller.synced(stop.signal);
    await body({ controller, faults, forgotten });
  } finally {
    stop.abort();
    await watching;
    await faults.stop();
  }
}

function versionOf(controller: Controller): string | undefined {
  return controller.view.pool("IPPool/pool1")?.metadata.resourceVersion;
}

test("a process that stands by believes a list with older versions, and writes to them when it leads", async () => {
  const written = { ...pool("501", 32), status: { allocations: [], blocks: {} } };
  await withController(RESTORED, json(written), async ({ controller, faults }) => {
    await until(
      () => versionOf(controller) === "500",
      "the restored pool is known",
      () => versionOf(controller),
    );
    const lead = new AbortController();
    const leading = controller.lead(() => true, lead.signal);
    await until(
      async () => versionOf(controller) === "501",
      "its status is written",
      () => `${versionOf(controller)}`,
    );
    lead.abort();
    await leading;
    const puts = faults.asked.filter(({ method }) => method === "PUT");
    assert.equal(
      puts.map(({ body }) => JSON.parse(body).metadata.resourceVersion),
      ["500"],
    );
  });
});

test("of a pool that goes while a process stands by nothing is left in its metrics", async () => {
  await withController([bookmark("1001", true)], stall, async ({ controller, forgotten }) => {
    await until(() => controller.view.pools().length === 0, "the pool is gone");
    assert.equal(forgotten, ["IPPool/pool1"]);
  });
});

test.run();
