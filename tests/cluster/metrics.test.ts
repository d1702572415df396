/** docs/metrics.md is what the roles show: every metric, with its type, labels and text, and no other. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Documented, documented, ROLES, type Role } from "../monitoring/_documented.ts";
import { firing, panelQueries } from "../monitoring/_manifests.ts";
import { promql } from "../monitoring/_promql.ts";
import { ipPool, StandaloneDaemon } from "../standalone_daemon.ts";
import { makeCertificate } from "./_certificates.ts";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { installCrds, must, Pools, startWith, until } from "./_pools.ts";
import { type Exposed, type MetricFamily, parseExposition } from "./_promparse.ts";

const { server, client } = await startWith(installCrds);
const test = suite("metrics");
test.after(() => server.remove());

const METRICS_FLAG = "--metrics-bind-address=127.0.0.1:0";
const SPEC = { subnet: "10.0.0.0/24", perNodeBlockSize: 4, gateway: "10.0.0.1" };

/**
 * Whatever they are asked for, they have something to show of it: an exposition of each role that has done some work, and that
 * of standalone when its block is full and an ADD was refused.
 */
const exposed = await exposeAll();

async function exposeAll(): Promise<Readonly<Record<Role | "exhausted", string>>> {
  const pools = await Pools.inNewNamespace(client, "metrics");
  const { kubeconfig } = server;
  const { namespace } = pools;
  const node = new NodeDaemon({ kubeconfig, namespace, nodeName: "node-1", flags: [METRICS_FLAG] });
  const standalone = new StandaloneDaemon({
    flags: [METRICS_FLAG],
    manifests: { "pool1.json": ipPool("pool1", SPEC) },
  });
  const certificates = mkdtempSync(join(tmpdir(), "nv-ipam-metrics-"));
  let controller: ControllerProcess | undefined;
  try {
    await pools.addNode("node-1");
    // For a condition beside Ready.
    const metadata = { annotations: { "nv-ipam.nvidia.com/allow-reallocation": "true" } };
    must(await pools.create("IPPool", "pool1", SPEC, { metadata }));
    makeCertificate(certificates, "tls");
    const webhook = ["--webhook", "--webhook-bind-address=127.0.0.1:0", `--webhook-cert-dir=${certificates}`];
    controller = await ControllerProcess.start({ kubeconfig, namespace, flags: webhook });
    await pools.untilBlocks("IPPool", "pool1", ["node-1 10.0.0.1-10.0.0.4"]);
    await node.start();
    assert.equal(await node.add("c1", { poolName: "pool1" }), ["10.0.0.2/24"]);
    await standalone.start();
    const add = (container: string) =>
      standalone.cni({ command: "ADD", container, config: { ipam: { poolName: "pool1" } } });
    const added = await add("c1");
    assert.is(added.exit, 0, `${added.stdout}\n${standalone.log}`);
    const well = await scrape(standalone.log);
    for (const container of ["c2", "c3", "c4"]) await add(container);
    const deal = controller;
    let shown = "";
    await until(
      async () => {
        shown = await deal.metrics();
        return shown.includes('nvipam_pool_status_writes_total{kind="IPPool",pool="pool1"} 1');
      },
      "the controller shows what it wrote",
      () => shown,
    );
    const exhausted = await scrape(standalone.log);
    return { controller: shown, node: await scrape(node.log), standalone: well, exhausted };
  } catch (error) {
    await server.remove();
    throw error;
  } finally {
    await Promise.all([node.remove(), standalone.remove(), controller?.kill()]);
    rmSync(certificates, { recursive: true, force: true });
  }
}

/** Asks where the log says that metrics are. */
async function scrape(log: string): Promise<string> {
  const address = /"Listening" for="metrics" address="([^"]+)"/.exec(log)?.[1];
  if (address === undefined) throw new Error(`the log names no address of metrics:\n${log}`);
  const answer = await fetch(`http://${address}/metrics`);
  assert.match(answer.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  return answer.text();
}

for (const role of ROLES) {
  let found: Exposed = { families: [], problems: [] };

  test(`${role}: Prometheus reads what it shows, and its linter finds nothing wrong`, () => {
    found = parseExposition(exposed[role]);
    assert.equal(found.problems, []);
  });

  test(`${role}: docs/metrics.md lists what it shows, and nothing that it does not`, () => {
    const names = documented.filter(({ roles }) => roles.includes(role)).map(({ name }) => name);
    assert.equal(
      found.families.map(({ name }) => name),
      names.sort(),
    );
  });

  test(`${role}: types, labels and texts are those of docs/metrics.md`, () => {
    for (const family of found.families) {
      const { name, type, help, labels } = family;
      const listed = documented.find((row) => row.name === name);
      assert.equal({ name, type, help, labels }, { ...pick(listed), labels: [listed?.labels.join() ?? ""] });
    }
  });

  test(`${role}: names say what they are, and no label says who has an address`, () => {
    for (const { name, type, labels, values } of found.families) {
      assert.match(name, /^(nvipam|process|nodejs)_[a-z0-9_]+$/);
      assert.is(name.endsWith("_total"), type === "counter", name);
      if (type === "histogram") assert.match(name, /_seconds$/);
      // Whatever is said of a pool is said by kind and name.
      if (/^nvipam_(pool|block)_/.test(name)) assert.match(labels[0] ?? "", /^kind,pool/);
      for (const label of (labels[0] ?? "").split(",").filter((each) => each !== "")) {
        assert.ok(LABELS.has(label), `${name} has label ${label}`);
      }
      for (const value of Object.values(values).flat()) assert.not.match(value, /10\.0\.0\.|\bc1\b/);
    }
  });
}

/** The targets as they are for an hour, in which a reading each minute finds the same. */
const scrapes = ROLES.flatMap((role) =>
  Array.from({ length: 61 }, (_, minute) => ({
    time: minute * 60,
    labels: { job: `kube-system/nv-ipam-${role}`, instance: role },
    text: exposed[role],
  })),
);

test("where all is well no alert fires", () => {
  assert.equal(firing({ scrapes }, 3600), []);
});

/** The alerts that fire some minutes after a daemon's block was full and an ADD refused. */
function firingAfter(minutes: number): string[] {
  const full = 45;
  const ofDaemon = Array.from({ length: full + minutes + 1 }, (_, minute) => ({
    time: minute * 60,
    labels: { job: "kube-system/nv-ipam-node", instance: "node-7" },
    text: minute < full ? exposed.standalone : exposed.exhausted,
  }));
  const others = scrapes.filter(({ labels }) => labels.instance === "controller");
  return firing({ scrapes: [...others, ...ofDaemon] }, (full + minutes) * 60).map(({ summary }) => summary);
}

test("where a block is full, one alert says that pods wait, and later one that the block is full", () => {
  assert.equal(firingAfter(7), ["Pods at node-7 wait for addresses"]);
  assert.equal(firingAfter(16), ["The block of IPPool pool1 at node-7 is full"]);
});

/** Panels that are empty where all is well. */
const OF_TROUBLE = ["Why pools are not ready", "Refused"];

test("every panel of the dashboard has something to show of them", () => {
  const asked = panelQueries("5m").filter(({ title }) => !OF_TROUBLE.includes(title));
  const queries = asked.map(({ expr }) => ({ expr, start: 3600, end: 3600, step: 1 }));
  const { results } = promql({ scrapes, queries });
  assert.equal(
    asked.filter((_, index) => results[index]?.series.length === 0).map(({ title }) => title),
    [],
  );
});

/** What labels there may be: each of few values, or one a pool. */
const LABELS: ReadonlySet<string> = new Set([
  "code",
  "commit",
  "kind",
  "major",
  "method",
  "minor",
  "patch",
  "pool",
  "reason",
  "resource",
  "state",
  "type",
  "version",
]);

function pick(listed: Documented | undefined): Pick<MetricFamily, "name" | "type" | "help"> {
  const { name = "not documented", type = "", help = "" } = listed ?? {};
  return { name, type, help };
}

test.run();
