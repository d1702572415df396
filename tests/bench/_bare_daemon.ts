/** The least that a node daemon on these packages can be: a gRPC server, the Kubernetes client's configuration, metrics. */
import { createServer } from "node:http";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { CoreV1Api, KubeConfig } from "@kubernetes/client-node";
import { collectDefaultMetrics, register } from "prom-client";
import { grpcService, type UnaryHandlers } from "../../src/lib/rpc/definition.ts";
import { IPAMServiceDefinition } from "../../src/lib/rpc/generated/node.ts";

const [, , socket = ""] = process.argv;
const config = new KubeConfig();
config.loadFromOptions({
  clusters: [{ name: "none", server: "http://127.0.0.1:1" }],
  users: [{ name: "none" }],
  contexts: [{ name: "none", cluster: "none", user: "none" }],
  currentContext: "none",
});
config.makeApiClient(CoreV1Api);
collectDefaultMetrics();
createServer((_request, response) => register.metrics().then((text) => response.end(text))).listen(0, "127.0.0.1");
const server = new Server();
const handlers: UnaryHandlers<typeof IPAMServiceDefinition> = {
  allocate: (_call, answer) => answer(null, { allocations: [] }),
  isAllocated: (_call, answer) => answer(null, {}),
  deallocate: (_call, answer) => answer(null, {}),
};
server.addService(grpcService(IPAMServiceDefinition), handlers);
server.bindAsync(`unix://${socket}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write("ready\n");
});
