import { setTimeout as delay } from "node:timers/promises";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { DaemonClient } from "../daemon_client.ts";
import { seededRandom } from "../random.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";

const ROUNDS = 200;
const CALLERS = 8;
const CONTAINERS = 40;
/** Far more than what any round needs, and far less than what the gate gives the whole test. */
const LIMIT_MS = 60_000;

/** What is known of a container: the answer that was acknowledged last, or that a call was under way when the daemon died. */
type Known =
  | { readonly state: "held"; readonly address: string }
  | { readonly state: "free" }
  | { readonly state: "open" };

test(`R1 R3 after each of ${ROUNDS} SIGKILLs under load everything acknowledged is there and no address is held twice`, async () => {
  const random = seededRandom("sigkill");
  const daemon = new StandaloneDaemon({
    manifests: { "pool.json": ipPool("pool1", { subnet: "10.0.0.0/16", perNodeBlockSize: 60, gateway: "10.0.0.1" }) },
  });
  const known = new Map<string, Known>(
    Array.from({ length: CONTAINERS }, (_, index): [string, Known] => [`c${index}`, { state: "free" }]),
  );
  const failures: Error[] = [];
  let acknowledged = 0;
  let alive = false;

  const work = async (client: DaemonClient, containers: readonly string[], running: () => boolean): Promise<void> => {
    while (running()) {
      const container = containers[random.below(containers.length)] ?? "";
      const before = known.get(container);
      known.set(container, { state: "open" });
      try {
        if (before?.state === "held" || (before?.state === "open" && random.below(2) === 0)) {
          await client.deallocate({ pools: ["pool1"], container });
          known.set(container, { state: "free" });
        } else {
          const [address = ""] = await client.allocate({ pools: ["pool1"], container });
          known.set(container, { state: "held", address: address.split("/")[0] ?? "" });
        }
        acknowledged++;
      } catch (error) {
        // Under a daemon that died a call may fail, and its outcome is open. Under one that lives none may.
        if (alive) failures.push(new Error(`a call for ${container} failed under a living daemon: ${error}`));
        return;
      }
    }
  };

  /** Waits until so many calls were acknowledged, then a moment more, so that the daemon dies anywhere in its work. */
  const loaded = async (calls: number): Promise<void> => {
    const limit = Date.now() + LIMIT_MS;
    while (acknowledged < calls && failures.length === 0) {
      if (Date.now() > limit) throw new Error(`no call was acknowledged for ${LIMIT_MS} ms\n${daemon.log}`);
      await delay(1);
    }
    await delay(random.below(4));
  };

  /** The socket answers before the manifests are read, and an ADD is refused until then. */
  const poolsKnown = async (client: DaemonClient): Promise<void> => {
    const limit = Date.now() + LIMIT_MS;
    while (!(await client.status(["pool1"])).ready) {
      if (Date.now() > limit) throw new Error(`the pools were not known after ${LIMIT_MS} ms\n${daemon.log}`);
      await delay(2);
    }
  };

  const verify = async (client: DaemonClient): Promise<void> => {
    const reservations = await client.reservations();
    const addresses = reservations.flatMap((reservation) => reservation.addresses);
    assert.is(new Set(addresses).size, addresses.length, "an address is held twice");
    const held = new Map(reservations.map(({ containerId, addresses: [address = ""] }) => [containerId, address]));
    for (const [container, fact] of known) {
      const address = held.get(container);
      if (fact.state === "held") assert.is(address, fact.address, `${container}: an acknowledged ADD is not there`);
      if (fact.state === "free") assert.is(address, undefined, `${container}: an acknowledged DEL came back`);
      known.set(container, address === undefined ? { state: "free" } : { state: "held", address });
    }
  };

  try {
    for (let round = 0; round <= ROUNDS; round++) {
      await daemon.start();
      alive = true;
      const clients = Array.from({ length: CALLERS }, () => new DaemonClient(`unix://${daemon.socket}`));
      const [first] = clients;
      if (first !== undefined) {
        await poolsKnown(first);
        await verify(first);
      }
      let running = round < ROUNDS;
      const names = [...known.keys()];
      const loads = clients.map((client, index) =>
        work(
          client,
          names.filter((_, position) => position % CALLERS === index),
          () => running,
        ),
      );
      if (running) await loaded(acknowledged + random.below(60));
      alive = false;
      await daemon.end("SIGKILL");
      running = false;
      for (const client of clients) client.close();
      await Promise.all(loads);
      const [failure] = failures;
      if (failure !== undefined) throw new Error(`${failure.message}\n${daemon.log}`);
    }
  } finally {
    await daemon.remove();
  }
  assert.ok(acknowledged > ROUNDS, `only ${acknowledged} calls were acknowledged: this tested nothing`);
  console.log(`${acknowledged} acknowledged calls over ${ROUNDS} kills`);
});

test.run();
