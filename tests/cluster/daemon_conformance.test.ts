/** The recorded stories of the original's daemon and plugin, told to ours with pools at a real API server. */
import { suite } from "uvu";
import { act as actByPlugin } from "../conformance/cni.ts";
import { act as actByCall } from "../conformance/grpc.ts";
import { readVectors } from "../conformance/vector.ts";
import { tell } from "./_daemon_vectors.ts";
import { installCrds, Pools, startWith } from "./_pools.ts";

const { server, client } = await startWith(installCrds);
const test = suite("daemon vectors on a real API server");
test.after(() => server.remove());

for (const [suiteName, act] of [
  ["cni", actByPlugin],
  ["grpc", actByCall],
] as const) {
  for (const [index, vector] of readVectors(suiteName).entries()) {
    test(`${suiteName} ${vector.name}: ${vector.why}`, async () => {
      await tell(vector, act, server, await Pools.inNewNamespace(client, `${suiteName}-${index}`));
    });
  }
}

test.run();
