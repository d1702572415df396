/** kubectl with `nv-ipam inspect` as its plugin, the original's debugging commands, and users who may not see all. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { EXECUTABLE } from "../plugin.ts";
import { runProgram } from "../program.ts";
import { until } from "./_pools.ts";
import { Shop } from "./_shop.ts";

const shop = await Shop.open();
const test = suite("kubectl in a cluster");
test.after(() => shop.remove());

test("kubectl nvipam shows the same", async () => {
  const listed = await shop.kubectl("plugin", "list");
  assert.match(listed.stdout, /\/kubectl-nvipam\n/);
  assert.not.match(listed.stderr, "warning");
  const shown = await shop.kubectl("nvipam", "pools", "-o", "json");
  assert.equal(JSON.parse(shown.stdout), await shop.document("pools"));
  const pod = await shop.kubectl("nvipam", "pod", "web", "--namespace", "shop");
  assert.match(pod.stdout, /^Pod shop\/web on a: Pending\n/);
  assert.is((await shop.kubectl("nvipam", "check")).exit, 1);
  const config = join(shop.server.directory, "context.kubeconfig");
  copyFileSync(shop.server.kubeconfig, config);
  await shop.kubectl("config", `--kubeconfig=${config}`, "set-context", "--current", "--namespace=shop");
  const usual = await shop.kubectl("nvipam", "pod", "web", `--kubeconfig=${config}`);
  assert.match(usual.stdout, /^Pod shop\/web on a: Pending\n/);
  const context = await shop.kubectl("nvipam", "pools", "--context=none");
  assert.equal([context.exit, context.stdout], [1, ""]);
  assert.match(context.stderr, /^kubectl nvipam: .* has no context "none": it has /);
  const help = await shop.kubectl("nvipam", "--help");
  assert.match(help.stdout, /\n {2}kubectl nvipam \[what\] \[name\] \[flags\]\n/);
});

test("the original's debugging commands show what they always showed", async () => {
  const blocks = '{range .items[*]}{.metadata.name}{"\\n"} {range .status.allocations[*]}{"\\t"}{.nodeName} => ';
  const end = '{"\\n"}{end}{"\\n"}{end}';
  const ip = await shop.kubectl(
    ...["get", "ippools.nv-ipam.nvidia.com", "-A", "-o"],
    `jsonpath=${blocks}Start IP: {.startIP} End IP: {.endIP}${end}`,
  );
  assert.is(
    ip.stdout,
    "pool1\n \ta => Start IP: 10.0.0.1 End IP: 10.0.0.8\n\tb => Start IP: 10.0.0.9 End IP: 10.0.0.16\n\n",
  );
  const cidr = await shop.kubectl(
    ...["get", "cidrpools.nv-ipam.nvidia.com", "-A", "-o"],
    `jsonpath=${blocks}Prefix: {.prefix} Gateway: {.gateway}${end}`,
  );
  const [, first] = cidr.stdout.split("\n");
  assert.is(first, " \ta => Prefix: 10.20.0.0/24 Gateway: 10.20.0.1");
  const columns =
    "NAME:metadata.name,NODE:spec.nodeName,NETWORK-STATUS:metadata.annotations.k8s\\.v1\\.cni\\.cncf\\.io/network-status";
  const status = await shop.kubectl("get", "pods", "-n", "shop", `-o=custom-columns=${columns}`);
  assert.match(status.stdout, /\nweb +a +\[.*"10\.0\.0\.2".*\]\n/);
});

test("a user who may not see pods and nodes is told what is not known", async () => {
  await shop.kubectl(
    "create",
    "clusterrole",
    "pool-viewer",
    "--verb=list",
    "--resource=ippools.nv-ipam.nvidia.com,cidrpools.nv-ipam.nvidia.com",
  );
  await shop.kubectl("create", "clusterrolebinding", "pool-viewer", "--clusterrole=pool-viewer", "--user=nobody");
  const config = join(shop.server.directory, "nobody.kubeconfig");
  await shop.kubectl(
    "config",
    `--kubeconfig=${config}`,
    "set-cluster",
    "c",
    `--server=${shop.server.url}`,
    `--certificate-authority=${shop.server.caFile}`,
  );
  await shop.kubectl("config", `--kubeconfig=${config}`, "set-credentials", "u", "--token=nobody-token");
  await shop.kubectl("config", `--kubeconfig=${config}`, "set-context", "x", "--cluster=c", "--user=u");
  const shown = await runProgram(EXECUTABLE, [
    "inspect",
    "pools",
    "-o",
    "json",
    `--kubeconfig=${config}`,
    "--context=x",
  ]);
  const { notes, items } = JSON.parse(shown.stdout);
  assert.equal(notes, [
    "nodes may not be listed: which blocks are missing, or of nodes that are gone, is not known",
    "pods may not be listed: which addresses are in use is not known",
  ]);
  assert.equal(items[0].addresses, { total: "16", excluded: "3", used: "", free: "" });
});

test("a user who may see the pools of one namespace only sees them where they usually are", async () => {
  const config = join(shop.server.directory, "nobody.kubeconfig");
  await shop.kubectl("delete", "clusterrolebinding", "pool-viewer");
  const show = () =>
    runProgram(EXECUTABLE, ["inspect", "pools", "-o", "json", `--kubeconfig=${config}`, "--context=x"]);
  const none = await show();
  assert.equal([none.exit, none.stdout], [1, ""]);
  assert.match(none.stderr, /is forbidden: .*; name the pools' namespace with --ippools-namespace\n$/);
  await shop.kubectl(
    "create",
    "rolebinding",
    "pool-viewer",
    "--clusterrole=pool-viewer",
    "--user=nobody",
    "-n",
    "kube-system",
  );
  await until(async () => (await show()).exit === 0, "the right counts");
  assert.is(JSON.parse((await show()).stdout).items.length, 2);
});

test.run();
