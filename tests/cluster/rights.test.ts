/** Each right that controller and node daemon have, taken from them: what they say then, and what they go on doing; a token that rotates. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KubeObject, Resource } from "../../src/lib/kube/object.ts";
import { ControllerProcess } from "./_controller.ts";
import { NodeDaemon } from "./_node.ts";
import { installCrds, must, Pools, startWith, until } from "./_pools.ts";

const RBAC = { group: "rbac.authorization.k8s.io", version: "v1" };
const CLUSTER_ROLES: Resource = { ...RBAC, plural: "clusterroles" };
const ACCOUNTS: Resource = { group: "", version: "v1", plural: "serviceaccounts" };
const SECRETS: Resource = { group: "", version: "v1", plural: "secrets" };
const BINDINGS: Resource = { ...RBAC, plural: "clusterrolebindings" };

/** One right as `group/resource verb`. */
type Right = string;

const POOLS = "nv-ipam.nvidia.com";
const CONTROLLER: readonly Right[] = [
  ...rights("/nodes", "get", "list", "watch"),
  ...rights("/pods", "list"),
  ...rights("/events", "create", "patch"),
  ...rights("coordination.k8s.io/leases", "get", "list", "watch", "create", "update"),
  ...rights(`${POOLS}/ippools`, "list", "watch"),
  ...rights(`${POOLS}/cidrpools`, "list", "watch"),
  ...rights(`${POOLS}/ippools/status`, "update"),
  ...rights(`${POOLS}/cidrpools/status`, "update"),
];
const NODE: readonly Right[] = [
  ...rights("/pods", "get", "list", "watch"),
  ...rights(`${POOLS}/ippools`, "list", "watch"),
  ...rights(`${POOLS}/cidrpools`, "list", "watch"),
];

function rights(resource: string, ...verbs: readonly string[]): readonly Right[] {
  return verbs.map((verb) => `${resource} ${verb}`);
}

interface Case {
  readonly without: Right;
  /** What the log says; nothing where the right is not missed. */
  readonly says?: RegExp;
}

const forbidden = (verb: string, resource: string): RegExp =>
  new RegExp(`is forbidden: User .{0,40} cannot ${verb} resource .{0,3}"${resource}`);

/** Without these no block is dealt. */
const CONTROLLER_STOPS: readonly Case[] = [
  { without: "/nodes list", says: forbidden("list", "nodes") },
  { without: `${POOLS}/ippools watch`, says: forbidden("watch", "ippools") },
  { without: `${POOLS}/cidrpools watch`, says: forbidden("watch", "cidrpools") },
  { without: `${POOLS}/ippools/status update`, says: forbidden("update", "ippools/status") },
  { without: "coordination.k8s.io/leases get", says: forbidden("get", "leases") },
  { without: "coordination.k8s.io/leases create", says: forbidden("create", "leases") },
];
/** Without these blocks are dealt all the same. */
const CONTROLLER_GOES_ON: readonly Case[] = [
  { without: "/nodes watch", says: forbidden("watch", "nodes") },
  { without: `${POOLS}/ippools list` },
  { without: `${POOLS}/cidrpools/status update`, says: forbidden("update", "cidrpools/status") },
  { without: "/events create", says: forbidden("create", "events") },
  { without: "coordination.k8s.io/leases list" },
  { without: "coordination.k8s.io/leases watch" },
  { without: "coordination.k8s.io/leases update", says: forbidden("update", "leases") },
];
const NODE_STOPS: readonly Case[] = [
  { without: `${POOLS}/ippools watch`, says: forbidden("watch", "ippools") },
  { without: `${POOLS}/cidrpools watch`, says: forbidden("watch", "cidrpools") },
  { without: "/pods watch", says: forbidden("watch", "pods") },
];
const NODE_GOES_ON: readonly Case[] = [
  { without: `${POOLS}/ippools list` },
  { without: "/pods get" },
  { without: "/pods list" },
];

/** A user of its own for each test. */
const USERS = Array.from({ length: 30 }, (_, index) => `user-${index}`);
const users = USERS.map((user) => ({ user, token: `token-of-${user}` }));
const { server, client } = await startWith(installCrds, { users });
const test = suite("rights");
test.after(() => server.remove());

const SPEC = { subnet: "10.0.0.0/24", perNodeBlockSize: 4 };
const BLOCK = ["node-a 10.0.0.1-10.0.0.4"];
let used = 0;
await new Pools(client, "default").addNode("node-a");

/** A namespace, and the kubeconfig of somebody who has these rights. */
async function settle(all: readonly Right[]) {
  const user = USERS[used++] ?? "";
  const pools = await Pools.inNewNamespace(client, `of-${user}`);
  const kubeconfig = join(server.directory, user);
  writeFileSync(kubeconfig, server.config(`token-of-${user}`).exportConfig(), { mode: 0o600 });
  const grant = (what: string, given: readonly Right[]) => give(user, what, given);
  await grant("most", all);
  return { pools, kubeconfig, namespace: pools.namespace, grant };
}

/** Gives a user rights. */
async function give(user: string, what: string, given: readonly Right[]): Promise<void> {
  const apiVersion = "rbac.authorization.k8s.io/v1";
  const metadata = { name: `${user}-${what}` };
  const rules = given.map((right) => {
    const [, group, resource, verb] = /^([^/]*)\/(\S+) (\w+)$/.exec(right) ?? [];
    return { apiGroups: [group], resources: [resource], verbs: [verb] };
  });
  must(await client.create(CLUSTER_ROLES, undefined, { apiVersion, kind: "ClusterRole", metadata, rules }));
  const apiGroup = "rbac.authorization.k8s.io";
  const roleRef = { apiGroup, kind: "ClusterRole", name: metadata.name };
  const subjects = [{ apiGroup, kind: "User", name: user }];
  const binding = { apiVersion, kind: "ClusterRoleBinding", metadata, roleRef, subjects };
  must(await client.create(BINDINGS, undefined, binding));
}

/** A controller without one of its rights, beside a pool that it can deal and one of which it has to tell. */
async function withController(
  { without, says }: Case,
  tell: (pools: Pools, grant: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { pools, kubeconfig, namespace, grant } = await settle(CONTROLLER.filter((right) => right !== without));
  must(await pools.create("IPPool", "pool1", SPEC));
  const exclusions = [{ startIP: "10.1.0.0", endIP: "10.1.0.0" }];
  must(await pools.create("CIDRPool", "full", { cidr: "10.1.0.0/32", perNodeNetworkPrefix: 32, exclusions }));
  const flags = ["--leader-elect", `--leader-elect-namespace=${namespace}`];
  const controller = await ControllerProcess.spawn({ kubeconfig, namespace, flags });
  try {
    if (says !== undefined) await until(() => says.test(controller.output), `it says ${says}`);
    await tell(pools, () => grant("rest", [without]));
  } catch (error) {
    throw new Error(`${error instanceof Error ? error.message : error}\n${controller.output}`, { cause: error });
  } finally {
    await controller.kill();
  }
}

for (const one of CONTROLLER_STOPS) {
  test(`a controller without the right ${one.without} says so, and deals blocks as soon as it has it`, async () => {
    await withController(one, async (pools, grant) => {
      assert.equal(await pools.blocks("IPPool", "pool1"), []);
      await grant();
      await pools.untilBlocks("IPPool", "pool1", BLOCK);
    });
  });
}

for (const one of CONTROLLER_GOES_ON) {
  test(`a controller without the right ${one.without} ${one.says ? "says so, and " : ""}deals blocks`, async () => {
    await withController(one, (pools) => pools.untilBlocks("IPPool", "pool1", BLOCK));
  });
}

async function withNode(
  { without, says }: Case,
  tell: (daemon: NodeDaemon, grant: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const { pools, kubeconfig, namespace, grant } = await settle(NODE.filter((right) => right !== without));
  must(await pools.create("IPPool", "pool1", SPEC));
  const allocations = [{ nodeName: "node-a", startIP: "10.0.0.1", endIP: "10.0.0.4" }];
  must(await pools.patchStatus("IPPool", "pool1", { allocations }));
  const daemon = new NodeDaemon({ kubeconfig, namespace, nodeName: "node-a" });
  try {
    await daemon.spawn();
    if (says !== undefined) await daemon.logged(says);
    await tell(daemon, () => grant("rest", [without]));
  } finally {
    await daemon.remove();
  }
}

for (const one of NODE_STOPS) {
  test(`a node daemon without the right ${one.without} says so, is not ready, and serves as soon as it has it`, async () => {
    await withNode(one, async (daemon, grant) => {
      await daemon.untilNotReady(/is forbidden/);
      await grant();
      await daemon.untilReady();
      assert.equal(await daemon.add("c1", { poolName: "pool1" }), ["10.0.0.1/24"]);
    });
  });
}

for (const one of NODE_GOES_ON) {
  test(`a node daemon without the right ${one.without} serves`, async () => {
    await withNode(one, async (daemon) => {
      await daemon.untilReady();
      assert.equal(await daemon.add("c1", { poolName: "pool1" }), ["10.0.0.1/24"]);
    });
  });
}

/** Writes a token of the service account that is good as long as the Secret of this name is there. */
async function writeToken(file: string, namespace: string, secret: string): Promise<void> {
  const object = { apiVersion: "v1", kind: "Secret", metadata: { name: secret } };
  const { uid } = must(await client.create(SECRETS, namespace, object)).metadata;
  const boundObjectRef = { apiVersion: "v1", kind: "Secret", name: secret, uid };
  const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: { boundObjectRef } };
  const tokens = { ...ACCOUNTS, plural: "serviceaccounts/controller/token" };
  const made = must(await client.create<KubeObject & { status: { token: string } }>(tokens, namespace, asked));
  writeFileSync(file, made.status.token, { mode: 0o600 });
}

test("a token that is replaced in its file is used before the former one is refused", async () => {
  const pools = await Pools.inNewNamespace(client, "rotation");
  const { namespace } = pools;
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "controller" } };
  must(await client.create(ACCOUNTS, namespace, account));
  await give(`system:serviceaccount:${namespace}:controller`, "all", CONTROLLER);
  const tokenFile = join(server.directory, "token");
  await writeToken(tokenFile, namespace, "first");
  const kubeconfig = join(server.directory, "with-token-file");
  const config = JSON.parse(server.config().exportConfig());
  writeFileSync(kubeconfig, JSON.stringify({ ...config, users: [{ name: "user", user: { tokenFile } }] }));
  const controller = await ControllerProcess.spawn({ kubeconfig, namespace });
  try {
    must(await pools.create("IPPool", "pool1", SPEC));
    await pools.untilBlocks("IPPool", "pool1", BLOCK);
    await writeToken(tokenFile, namespace, "second");
    must(await client.delete(SECRETS, { namespace, name: "first" }));
    // So long the API server believes a token that it has looked at.
    await delay(11_000);
    must(await pools.create("IPPool", "pool2", SPEC));
    await pools.untilBlocks("IPPool", "pool2", BLOCK);
    assert.not.match(controller.output, /nauthorized/);
  } finally {
    await controller.kill();
  }
});

test.run();
