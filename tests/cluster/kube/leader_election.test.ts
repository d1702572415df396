/** Leader election against an API server that is held up, cut off and contended. */
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { drop, status } from "../_fault_server.ts";
import { until, withServer } from "./_candidates.ts";
import type { LeaseServer } from "./_lease_server.ts";

const test = suite("leader election");

test("the first candidate makes the lease and leads; its fields are client-go's", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a", { leaseDurationMs: 15_000, date: () => new Date("2026-01-02T03:04:05.678Z") });
    await a.leads;
    assert.ok(a.election.isLeader && a.election.mayWrite());
    assert.equal(leases.lease?.spec, {
      holderIdentity: "a",
      leaseDurationSeconds: 15,
      acquireTime: "2026-01-02T03:04:05.678000Z",
      renewTime: "2026-01-02T03:04:05.678000Z",
      leaseTransitions: 0,
    });
  });
});

test("a leader renews its lease, with one write each time and no read, and acquireTime stays", async () => {
  await withServer(async ({ faults, leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    const acquired = leases.lease?.spec?.acquireTime;
    const asked = faults.asked.length;
    await until(() => leases.writes.length > 5);
    assert.equal(new Set(faults.asked.slice(asked).map(({ method }) => method)), new Set(["PUT"]));
    assert.equal(new Set(leases.writes), new Set(["a 0"]));
    assert.is(leases.lease?.spec?.acquireTime, acquired);
    assert.is.not(leases.lease?.spec?.renewTime, acquired);
  });
});

test("a second candidate waits as long as the first one renews", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    const b = candidate("b");
    await until(() => leases.writes.length > 60);
    assert.not.ok(b.election.isLeader || b.election.mayWrite());
    assert.is(b.election.leader, "a");
    assert.equal(new Set(leases.writes), new Set(["a 0"]));
  });
});

test("a clean stop releases the lease when the leader's work has ended, and not before", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    a.stop();
    await until(a.aborted);
    const writes = leases.writes.length;
    await until(() => leases.writes.length > writes + 2);
    assert.is(leases.lease?.spec?.holderIdentity, "a", "renewed while the work goes on");
    assert.ok(a.election.mayWrite());
    a.finish();
    assert.is(await a.ended, "stopped");
    assert.equal([leases.lease?.spec?.holderIdentity, leases.lease?.spec?.leaseDurationSeconds], ["", 1]);
    assert.not.ok(a.election.isLeader || a.election.mayWrite());
  });
});

test("a standby takes a released lease over at once, woken by its watch, not by its next try", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    const b = candidate("b", { retryPeriodMs: 3_600_000 });
    await until(() => b.election.leader === "a");
    a.stop();
    a.finish();
    await b.leads;
    assert.equal(leases.writes.slice(-2), [" 0", "b 1"]);
  });
});

test("a standby without the right to watch leases takes over by its tries", async () => {
  await withServer(async ({ leases, candidate }) => {
    leases.fault = ({ url }) => (url.searchParams.has("watch") ? status(403, "Forbidden") : undefined);
    const a = candidate("a");
    await a.leads;
    const b = candidate("b");
    a.stop();
    a.finish();
    await b.leads;
  });
});

test("the lease of a leader that has gone without a word is taken over when it has not changed for its own duration", async () => {
  await withServer(async ({ leases, candidate }) => {
    // An old renewTime, and one ahead, count for nothing: clocks of others are not compared with ours.
    const gone = { holderIdentity: "gone", leaseDurationSeconds: 3600, renewTime: "2020-01-01T00:00:00.000000Z" };
    leases.write({ ...gone, leaseTransitions: 4 });
    const a = candidate("a");
    await until(() => a.election.leader === "gone");
    await delay(100);
    assert.not.ok(a.election.isLeader);
    a.clock.moved = 3_599_000;
    await delay(100);
    assert.not.ok(a.election.isLeader);
    a.clock.moved = 3_601_000;
    await a.leads;
    assert.is(leases.writes[0], "a 5");
  });
});

test("a lease that changes is not free, however long it has been seen", async () => {
  await withServer(async ({ leases, candidate }) => {
    const spec = (time: number) => ({ holderIdentity: "b", leaseDurationSeconds: 10, renewTime: `${time}` });
    leases.write(spec(0));
    const a = candidate("a");
    await until(() => a.election.leader === "b");
    for (let time = 1; time < 10; time++) {
      leases.write(spec(time));
      await delay(30);
      a.clock.moved += 8000;
      await delay(30);
    }
    assert.not.ok(a.election.isLeader);
  });
});

test("R14 a leader that was held up longer than the renew deadline may not write, before any timer has told it", async () => {
  await withServer(async ({ candidate }) => {
    const a = candidate("a", { renewDeadlineMs: 10_000, leaseDurationMs: 15_000 });
    await a.leads;
    a.clock.moved += 9_000;
    assert.ok(a.election.mayWrite());
    a.clock.moved += 1_000;
    assert.not.ok(a.election.mayWrite());
    a.finish();
  });
});

test("R14 the renewal counts from when it was sent, not from when its answer came", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a", { renewDeadlineMs: 10_000, leaseDurationMs: 15_000 });
    leases.fault = ({ method }) => {
      // The answer to the write that takes the lease comes after 9.9 s.
      if (method === "POST") a.clock.moved += 9_900;
      return undefined;
    };
    await a.leads;
    a.clock.moved += 100;
    assert.not.ok(a.election.mayWrite());
    a.finish();
  });
});

for (const [name, fault] of [
  ["is not reached any more", () => drop],
  ["is answered 500", () => status(500, "InternalError")],
  ["may not write the lease any more", ({ method }) => (method === "PUT" ? status(403, "Forbidden") : undefined)],
  ["hears nothing any more", () => () => undefined],
] as readonly (readonly [string, NonNullable<LeaseServer["fault"]>])[]) {
  test(`R14 a leader that ${name} stops writing at its renew deadline, and says that it lost`, async () => {
    await withServer(async ({ leases, candidate }) => {
      const a = candidate("a", { renewDeadlineMs: 600 });
      await a.leads;
      leases.fault = fault;
      await until(a.aborted);
      assert.not.ok(a.election.mayWrite());
      a.finish();
      assert.is(await a.ended, "lost");
      assert.is(leases.lease?.spec?.holderIdentity, "a", "what was lost is not released");
    });
  });
}

test("a candidate that lost the lease stands again, and leads at once if nobody has taken it, else when it is free", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a", { renewDeadlineMs: 600 });
    await a.leads;
    leases.fault = () => drop;
    await until(a.aborted);
    a.finish();
    assert.is(await a.ended, "lost");
    leases.fault = undefined;
    const stop = new AbortController();
    let leads = 0;
    const lead = async (signal: AbortSignal): Promise<void> => {
      assert.ok(!signal.aborted && a.election.mayWrite());
      leads++;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
    };
    const second = a.election.run(stop.signal, lead);
    await until(() => leads === 1);
    leases.write({ holderIdentity: "b", leaseDurationSeconds: 3600, renewTime: "x" });
    assert.is(await second, "lost");
    const third = a.election.run(stop.signal, lead);
    await delay(200);
    assert.equal([leads, a.election.leader, a.election.mayWrite()], [1, "b", false]);
    leases.write({ holderIdentity: "", leaseDurationSeconds: 1 });
    await until(() => leads === 2);
    stop.abort();
    assert.is(await third, "stopped");
    assert.is(leases.lease?.spec?.holderIdentity, "");
  });
});

test("a leader goes on through an outage shorter than its renew deadline", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    let failed = 0;
    leases.fault = () => {
      failed++;
      return failed < 5 ? drop : undefined;
    };
    const writes = leases.writes.length;
    await until(() => leases.writes.length > writes + 2);
    assert.not.ok(a.aborted());
  });
});

test("a leader whose lease another has taken stops at once", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    leases.write({ holderIdentity: "b", leaseDurationSeconds: 15, renewTime: "x" });
    await until(a.aborted);
    a.finish();
    assert.is(await a.ended, "lost");
    assert.is(leases.lease?.spec?.holderIdentity, "b");
  });
});

test("a leader whose lease was edited or deleted takes it again", async () => {
  await withServer(async ({ leases, candidate }) => {
    const a = candidate("a");
    await a.leads;
    leases.write({ ...leases.lease?.spec, acquireTime: "2020-01-01T00:00:00.000000Z" });
    let writes = leases.writes.length;
    await until(() => leases.writes.length > writes);
    leases.remove();
    writes = leases.writes.length;
    await until(() => leases.writes.length > writes);
    assert.is(leases.lease?.spec?.holderIdentity, "a");
    assert.not.ok(a.aborted());
  });
});

test("of many candidates for a free lease one leads", async () => {
  await withServer(async ({ candidate }) => {
    const candidates = Array.from({ length: 8 }, (_, index) => candidate(`c${index}`));
    await Promise.race(candidates.map(({ leads }) => leads));
    await until(() => candidates.every(({ election }) => election.leader !== ""));
    assert.is(candidates.filter(({ election }) => election.isLeader).length, 1);
  });
});

test("a candidate that is stopped before it leads never does", async () => {
  await withServer(async ({ leases, candidate }) => {
    leases.write({ holderIdentity: "b", leaseDurationSeconds: 3600, renewTime: "x" });
    const a = candidate("a");
    await until(() => a.election.leader === "b");
    a.stop();
    assert.is(await a.ended, "stopped");
    assert.equal(leases.writes, []);
  });
});

test.run();
