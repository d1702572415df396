/** Tests of controllers that have a namespace, nodes and processes of their own. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Test } from "uvu";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { ApiServer } from "./_api_server.ts";
import { ControllerProcess } from "./_controller.ts";
import { Pools } from "./_pools.ts";

export interface Scene {
  readonly pools: Pools;
  /** Starts a controller that is ended with the test. */
  start(...flags: readonly string[]): Promise<ControllerProcess>;
  /** The same for the user whose token is `token-of-` and its name; it is not waited for. */
  spawnAs(user: string, ...flags: readonly string[]): Promise<ControllerProcess>;
}

/** Makes tests: each has a namespace of its own, no nodes at its beginning, and controllers that are ended with it. */
export function scenes(test: Test, server: ApiServer, client: KubeClient) {
  let namespaces = 0;
  return (name: string, tell: (scene: Scene) => Promise<void>): void => {
    test(name, async () => {
      const pools = await Pools.inNewNamespace(client, `scene-${++namespaces}`);
      const running: ControllerProcess[] = [];
      const { kubeconfig } = server;
      const { namespace } = pools;
      try {
        await tell({
          pools,
          start: async (...flags) => {
            const controller = await ControllerProcess.start({ kubeconfig, namespace, flags });
            running.push(controller);
            return controller;
          },
          spawnAs: async (user, ...flags) => {
            const limited = join(server.directory, user);
            writeFileSync(limited, server.config(`token-of-${user}`).exportConfig(), { mode: 0o600 });
            const controller = await ControllerProcess.spawn({ kubeconfig: limited, namespace, flags });
            running.push(controller);
            return controller;
          },
        });
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        throw new Error([message, ...running.map(({ pid, output }) => `controller ${pid}:\n${output}`)].join("\n"), {
          cause: error,
        });
      } finally {
        await Promise.all(running.map((controller) => controller.kill()));
        await pools.deleteAllNodes();
      }
    });
  };
}
