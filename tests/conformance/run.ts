/** Carries out the steps that both daemon suites share, over a daemon and an installed plugin in a directory of their own. */
import { rmSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runPlugin } from "../plugin.ts";
import { TestDaemon } from "./test_daemon.ts";
import { fillIn, type Json, matches, type PoolSpec, type Step, takeOut, type Vector } from "./vector.ts";

/** What the steps of one vector act on. */
export interface Scene {
  readonly places: Readonly<Record<string, string>>;
  readonly daemon: TestDaemon;
  readonly vector: Vector;
}

/** Carries out one step of a suite. @returns what is compared with the step's `expect`, or undefined when nothing is. */
export type Act = (step: Step, scene: Scene) => Promise<Json | undefined>;

/** Tells one vector's story. @throws when something else comes back than is expected. */
export async function tell(vector: Vector, act: Act): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "nv-ipam-conformance-"));
  const places = {
    DIR: directory,
    SOCKET: join(directory, "run", "daemon.sock"),
    CONF_DIR: join(directory, "conf"),
    BIN_DIR: join(directory, "bin"),
    LOG_FILE: join(directory, "cni.log"),
    STORE: join(directory, "store"),
  };
  const daemon = new TestDaemon(places, vector.daemonFlags ?? []);
  try {
    for (const pool of vector.pools ?? []) daemon.putPool(pool);
    await daemon.start();
    for (const [index, raw] of vector.steps.entries()) {
      const step = fillIn(raw as unknown as Json, places) as unknown as Step;
      const observed = await carryOut(
        step,
        { places, daemon, vector: fillIn(vector as unknown as Json, places) as unknown as Vector },
        act,
      );
      if (raw.expect === undefined || observed === undefined) continue;
      const seen = takeOut(observed, places);
      if (!matches(seen, raw.expect)) {
        throw new Error(
          `step ${index} (${raw.do})\n  expected ${JSON.stringify(raw.expect)}\n  observed ${JSON.stringify(seen)}\n${daemon.output}`,
        );
      }
    }
  } finally {
    await daemon.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function carryOut(step: Step, scene: Scene, act: Act): Promise<Json | undefined> {
  const { daemon, places } = scene;
  switch (step.do) {
    case "putPool":
      daemon.putPool(step as unknown as PoolSpec);
      await daemon.settled();
      return undefined;
    case "deletePool":
      daemon.deletePool(String(step.kind), String(step.name));
      await daemon.settled();
      return undefined;
    case "stopDaemon":
      await daemon.stop();
      return undefined;
    case "killDaemon":
      await daemon.kill();
      return undefined;
    case "startDaemon":
      await daemon.start();
      return undefined;
    case "writeFile":
      writeFileSync(String(step.file), String(step.text));
      return undefined;
    case "install":
      return installed(places);
    default:
      return act(step, scene);
  }
}

async function installed(places: Readonly<Record<string, string>>): Promise<Json> {
  const { readFile, access, constants } = await import("node:fs/promises");
  const binary = join(places.BIN_DIR ?? "", "nv-ipam");
  const conf = JSON.parse(await readFile(join(places.CONF_DIR ?? "", "nv-ipam.conf"), "utf8"));
  const executable = await access(binary, constants.X_OK).then(
    () => true,
    () => false,
  );
  const version = await runPlugin({ binary, env: { CNI_COMMAND: "VERSION" }, stdin: '{"cniVersion":"1.0.0"}' });
  return { conf, executable, version: JSON.parse(version.stdout) };
}
