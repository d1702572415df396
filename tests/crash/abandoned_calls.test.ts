import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

const CALLS = 32;

test(`R3 nothing stays reserved when ${CALLS} ADDs gave up on a stopped daemon and their DELs came before it went on`, async () => {
  const daemon = new StandaloneDaemon({
    manifests: { "pool.json": ipPool("pool1", { subnet: "10.0.0.0/16", perNodeBlockSize: 200 }) },
  });
  const call = (command: string, index: number, timeout: number) =>
    daemon.cni({
      command,
      container: `c${index}`,
      config: { ipam: { poolName: "pool1", daemonCallTimeoutSeconds: timeout } },
    });
  const all = <T>(make: (index: number) => Promise<T>): Promise<T[]> =>
    Promise.all(Array.from({ length: CALLS }, (_, index) => make(index)));
  try {
    await daemon.start();
    daemon.signal("SIGSTOP");
    const adds = await all((index) => call("ADD", index, 1));
    assert.ok(adds.every((add) => add.exit !== 0));
    const dels = all((index) => call("DEL", index, 15));
    // The DELs have connected when their requests lie in the stopped daemon's queue; that cannot be seen from outside.
    await delay(3000);
    daemon.signal("SIGCONT");
    for (const del of await dels) assert.is(del.exit, 0, del.stdout);
    assert.equal(await daemon.inspect("reservations"), []);
  } finally {
    await daemon.remove();
  }
});

test.run();
