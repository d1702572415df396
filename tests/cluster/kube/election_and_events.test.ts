/** Leader election and the event recorder against a real kube-apiserver. */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EventRecorder } from "../../../src/lib/kube/events.ts";
import { LeaderElection } from "../../../src/lib/kube/leader_election.ts";
import { LEASES, type Lease } from "../../../src/lib/kube/lease.ts";
import type { KubeObject } from "../../../src/lib/kube/object.ts";
import { ApiServer } from "../_api_server.ts";

const server = await ApiServer.start();
const client = server.client();
// A timer that keeps the process alive: those of elections do not.
const alive = setInterval(() => undefined, 1000);

const test = suite("election and events");
test.after(async () => {
  clearInterval(alive);
  await server.remove();
});

/** A candidate with client-go's times, and its writes while it led. */
function candidate(name: string, identity: string) {
  const leads = Promise.withResolvers<void>();
  const abort = new AbortController();
  const election = new LeaderElection({ client: server.client(), namespace: "kube-system", name, identity });
  const ended = election.run(abort.signal, async (signal) => {
    leads.resolve();
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  });
  return { election, leads: leads.promise, ended, stop: () => abort.abort() };
}

async function lease(name: string): Promise<Lease | undefined> {
  const got = await client.get<Lease>(LEASES, { namespace: "kube-system", name });
  return got.ok ? got.value : undefined;
}

test("a lease is made, renewed, released, and taken over by the one that stands by", async () => {
  const a = candidate("takeover", "a");
  await a.leads;
  const first = (await lease("takeover"))?.spec;
  assert.equal([first?.holderIdentity, first?.leaseDurationSeconds, first?.leaseTransitions], ["a", 15, 0]);
  const b = candidate("takeover", "b");
  while (b.election.leader !== "a") await delay(10);
  while ((await lease("takeover"))?.spec?.renewTime === first?.renewTime) await delay(100);
  assert.ok(a.election.mayWrite());
  assert.not.ok(b.election.mayWrite());
  const stopped = performance.now();
  a.stop();
  assert.is(await a.ended, "stopped");
  assert.not.ok(a.election.mayWrite());
  await b.leads;
  console.log(`taken over ${Math.round(performance.now() - stopped)} ms after the stop`);
  const second = (await lease("takeover"))?.spec;
  assert.equal([second?.holderIdentity, second?.leaseTransitions], ["b", 1]);
  b.stop();
  assert.is(await b.ended, "stopped");
});

test("of several candidates at once one leads", async () => {
  const candidates = ["a", "b", "c", "d"].map((identity) => candidate("contended", identity));
  await Promise.race(candidates.map(({ leads }) => leads));
  while (!candidates.every(({ election }) => election.leader !== "")) await delay(10);
  assert.is(candidates.filter(({ election }) => election.mayWrite()).length, 1);
  for (const { stop } of candidates) stop();
  await Promise.all(candidates.map(({ ended }) => ended));
  assert.is((await lease("contended"))?.spec?.holderIdentity, "");
});

test("R14 a leader that was stopped until another led says that it may not write from the first moment on", async () => {
  const script = join(import.meta.dirname, "_leader_process.ts");
  // The deadline is long enough for a busy machine; the stop lasts until the other leads.
  const times = ["6000", "4000"];
  const leader = spawn(process.execPath, [script, server.kubeconfig, "stopped", ...times]);
  let said = "";
  leader.stdout.on("data", (chunk) => {
    said += chunk;
  });
  const exited = new Promise((resolve) => leader.once("exit", resolve));
  while (!said.includes("may\n")) await delay(10);
  leader.kill("SIGSTOP");
  await delay(100);
  const before = said.length;
  const other = candidate("stopped", "other");
  await other.leads;
  leader.kill("SIGCONT");
  await exited;
  other.stop();
  await other.ended;
  // The stop may have come between asking and saying, once: that is what the resourceVersion of a write is for.
  assert.match(said.slice(before), /^(may\n)?(may not\n)*lost\n$/);
});

test("an event is stored as the API has it, and counted when it comes again", async () => {
  const resource = { group: "", version: "v1", plural: "events" };
  const recorder = new EventRecorder({ client, component: "tester" });
  const subject = { apiVersion: "v1", kind: "ConfigMap", namespace: "default", name: "thing", uid: "the-uid" };
  const text = { type: "Warning", reason: "TooFew", message: "two are missing" } as const;
  recorder.record(subject, text);
  while (recorder.waiting > 0) await delay(5);
  recorder.record(subject, text);
  recorder.record(subject, { ...text, message: "x".repeat(3000) });
  await recorder.stop(60_000);
  const selection = { namespace: "default", fieldSelector: "involvedObject.name=thing" };
  const listed = await client.list<KubeObject & Readonly<Record<string, unknown>>>(resource, selection);
  const found = listed.ok ? listed.value.items : [];
  assert.equal(found.map(({ count, reason, type }) => [count, reason, type]).sort(), [
    [1, "TooFew", "Warning"],
    [2, "TooFew", "Warning"],
  ]);
});

test.run();
