/** Asks for pods that are not there, one after the other, as a stale cleaner does. Arguments: the kubeconfig. */
import { connect } from "../../src/lib/kube/connect.ts";

const [path = ""] = process.argv.slice(2);
const client = connect({ path, env: {} }, "nv-ipam-bench");
if (!client.ok) throw new Error(client.error.message);
process.stdout.write("ready\n");
for (let index = 0; ; index++) {
  const name = { namespace: "default", name: `nobody-${index}` };
  const pod = await client.value.get({ group: "", version: "v1", plural: "pods" }, name);
  if (pod.ok || pod.error.code !== "notFound") throw new Error(`there is an answer for ${name.name}`);
}
