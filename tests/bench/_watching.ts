/** Follows the IPPools of a namespace and does nothing with them but parse. Arguments: the kubeconfig and the namespace. */
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import { connect } from "../../src/lib/kube/connect.ts";

const [path = "", namespace = ""] = process.argv.slice(2);
const client = connect({ path, env: {} }, "nv-ipam-bench");
if (!client.ok) throw new Error(client.error.message);
const page = await client.value.list(POOL_RESOURCES.IPPool, { namespace, metadataOnly: true });
if (!page.ok) throw new Error(page.error.message);
process.stdout.write("ready\n");
const watched = await client.value.watch(POOL_RESOURCES.IPPool, {
  namespace,
  resourceVersion: page.value.resourceVersion,
  silenceMs: 600_000,
  signal: AbortSignal.timeout(600_000),
  onEvent: () => undefined,
});
if (!watched.ok) throw new Error(watched.error.message);
