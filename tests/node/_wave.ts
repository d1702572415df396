/** Pods that come up together and go together, and what must be true of their addresses all the while. */
import type { ReservationItem } from "../../src/lib/inspect/report.ts";
import { until } from "../cluster/_pools.ts";
import type { Cluster } from "./_cluster.ts";
import { isRunning, type NetworkChoice, networkStatus, type Pod } from "./_pods.ts";
import { Witness } from "./_witness.ts";

/** Something that happens to the cluster while pods come or go. */
export type Fault = () => Promise<void>;

export interface WaveSettings {
  readonly cluster: Cluster;
  /** Of the node that the pods are on. */
  readonly witness: Witness;
  readonly names: readonly string[];
  readonly networks: readonly NetworkChoice[];
  /** Whether a deletion removes the pods at once, before the node knows. Default false. */
  readonly forced?: boolean;
}

/** A reservation whose DEL never came is released by the stale cleaner, in its fourth round. */
const RELEASE_LIMIT_MS = 330_000;
/** The part of the pods that has come when a fault strikes. */
const PART = 0.25;

/** A wave of pods on one node. */
export class Wave {
  readonly #settings: WaveSettings;

  constructor(settings: WaveSettings) {
    this.#settings = settings;
  }

  get names(): readonly string[] {
    return this.#settings.names;
  }

  /** Creates the pods, whatever becomes of them. */
  async create(): Promise<void> {
    const { cluster, witness, names, networks, forced = false } = this.#settings;
    await cluster.pods.create(...names.map((name) => ({ name, node: witness.node.name, networks, forced })));
  }

  /** Deletes the pods by force, and creates others of the same names at once. */
  async recreate(): Promise<void> {
    const { cluster, names } = this.#settings;
    const uidOf = (name: string): string | undefined => cluster.pods.get(name)?.metadata.uid;
    const before = names.map(uidOf);
    await cluster.pods.delete(...names);
    await this.create();
    const isOther = (name: string, index: number): boolean => ![before[index], undefined].includes(uidOf(name));
    await until(() => names.every(isOther), "pods of the same names are there");
  }

  /** Creates the pods and waits until all run. */
  async comesUp(): Promise<void> {
    await this.create();
    await this.allRun();
  }

  /** Waits until all of its pods run. */
  async allRun(): Promise<void> {
    await this.#settings.cluster.pods.untilRunning(...this.names);
  }

  /** Deletes the pods. */
  async delete(): Promise<void> {
    await this.#settings.cluster.pods.delete(...this.names);
  }

  /** Waits until its pods are gone. */
  async allGone(): Promise<void> {
    await this.#settings.cluster.pods.untilGone(...this.names);
  }

  /**
   * Deletes these pods and creates the others at the same time; the fault strikes when some of them have come. In the end
   * these are gone and the others run.
   */
  async givesWayTo(others: Wave, fault: Fault): Promise<void> {
    await Promise.all([this.delete(), others.create()]);
    await others.#untilSomeRun();
    await fault();
    await Promise.all([this.allGone(), others.allRun()]);
  }

  async #untilSomeRun(): Promise<void> {
    const wanted = Math.ceil(this.names.length * PART);
    const count = (): number => this.names.filter((name) => isRunning(this.#settings.cluster.pods.get(name))).length;
    await until(() => count() >= wanted, `${wanted} of ${this.names.length} pods run`, count, 120_000);
  }
}

/**
 * Waits until the annotations of the pods on a node, its reservations and its kernel tell the same addresses: each pod has what
 * is reserved for it, and nothing else is reserved. @throws when two interfaces had one address at any instant.
 */
export async function agree(cluster: Cluster, witness: Witness): Promise<void> {
  const { node } = witness;
  let [told, reserved, held]: string[][] = [[], [], []];
  await until(
    async () => {
      told = cluster.pods.all
        .filter(({ spec }) => spec.nodeName === node.name)
        .flatMap(addressesOf)
        .sort();
      reserved = (await node.ipam.reservations()).map(asText).sort();
      held = [...(await Witness.addresses(witness)).held];
      const addresses = told.map((line) => line.split(" ")[0]).sort();
      return told.join() === reserved.join() && addresses.join() === held.join();
    },
    "pods, reservations and the kernel agree",
    () => `pods:\n${told?.join("\n")}\nreserved:\n${reserved?.join("\n")}\non interfaces:\n${held?.join("\n")}`,
    RELEASE_LIMIT_MS,
  );
}

/** Its addresses of ours, as `address uid interface`. */
function addressesOf(pod: Pod): readonly string[] {
  return networkStatus(pod)
    .filter(({ interface: name }) => name !== "eth0")
    .flatMap(({ interface: name, ips = [] }) => ips.map((address) => `${address} ${pod.metadata.uid} ${name}`));
}

function asText({ addresses, pod, ifname }: ReservationItem): string {
  return `${addresses.join(" ")} ${pod?.uid} ${ifname}`;
}
