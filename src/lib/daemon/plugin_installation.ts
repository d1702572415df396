/** The plugin put in place beside a daemon's start: neither the start nor the stop waits for a copy of the executable. */
import { setTimeout } from "node:timers/promises";
import { install } from "../cni/install.ts";
import { type INSTALL_FLAGS, installOptions } from "../cni/install_flags.ts";
import type { FlagValues } from "../flags/flags.ts";
import type { Log } from "../observe/log.ts";
import type { DAEMON_FLAGS } from "./flags.ts";

/** Milliseconds between attempts. */
const AGAIN_MS = 30_000;

/** What a daemon's flags say of the plugin. */
type InstallationFlags = FlagValues<typeof INSTALL_FLAGS> & Pick<FlagValues<typeof DAEMON_FLAGS>, "bind-address">;

/** Installs the plugin, again and again until it is in place. */
export class PluginInstallation {
  readonly #values: InstallationFlags;
  readonly #podOptional: boolean;
  readonly #log: Log;
  #missing: string | undefined = "not installed yet";
  #failures = 0;

  /** @param podOptional whether calls without a pod are served */
  constructor(values: InstallationFlags, podOptional: boolean, log: Log) {
    this.#values = values;
    this.#podOptional = podOptional;
    this.#log = log;
  }

  /** Why the plugin is not in place; undefined when it is. */
  get missing(): string | undefined {
    return this.#missing;
  }

  /** Attempts that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Tries until it is in place or the signal is aborted. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const [bound, called] = [this.#values["bind-address"], this.#values["cni-daemon-socket"]];
    if (bound !== called) {
      const advice = "The plugin is told of another socket than the daemon's; give both flags the same";
      this.#log.warning(advice, { bound, called });
    }
    while (!signal.aborted) {
      const installed = await install(installOptions(this.#values, this.#podOptional));
      if (installed.ok) {
        this.#missing = undefined;
        this.#log.info("The plugin is in place", { ...installed.value });
        return;
      }
      const { message } = installed.error;
      this.#missing = message;
      this.#failures++;
      const seconds = AGAIN_MS / 1000;
      this.#log.error("The plugin could not be installed; it is tried again", { err: message, seconds });
      await setTimeout(AGAIN_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
