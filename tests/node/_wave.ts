/** Pods that come up together and go together, and what must be true of their addresses all the while. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { NETWORKS_ANNOTATION } from "../../src/lib/api/network_selection.ts";
import type { ReservationItem } from "../../src/lib/inspect/report.ts";
import { until } from "../cluster/_pools.ts";
import type { Cluster } from "./_cluster.ts";
import { PLUGIN_LOG } from "./_faults.ts";
import { type NetworkChoice, type NetworkStatus, networkStatus, type Pod } from "./_pods.ts";
import { Witness } from "./_witness.ts";

/** Something that happens to the cluster while pods go and these come. */
export type Fault = (coming: Wave) => Promise<void>;

export interface WaveSettings {
  readonly cluster: Cluster;
  /** Of the node that the pods are on. */
  readonly witness: Witness;
  readonly names: readonly string[];
  readonly networks: readonly NetworkChoice[];
  /** Whether a deletion removes the pods at once, before the node knows. Default false. */
  readonly forced?: boolean;
}

/**
 * A DEL that failed is tried again within this time, where the ADD had ended: for others the runtime tries once. The stale
 * cleaner takes longer.
 */
const AGREE_LIMIT_MS = 60_000;
/** How often it is looked whether all agree: looking is work for the machine too. */
const AGREE_EVERY_MS = 500;

/** A wave of pods on one node. */
export class Wave {
  readonly #settings: WaveSettings;
  #names: readonly string[];

  constructor(settings: WaveSettings) {
    this.#settings = settings;
    this.#names = settings.names;
  }

  get names(): readonly string[] {
    return this.#names;
  }

  /** Creates the pods, whatever becomes of them. */
  async create(): Promise<void> {
    await this.#create(this.#names);
  }

  /** Creates one more pod: its calls of the plugin are still to come, however fast those of the others were. */
  async createAnother(): Promise<void> {
    const name = `${this.#names[0]}-late`;
    this.#names = [...this.#names, name];
    await this.#create([name]);
  }

  /** Deletes the pods by force, and creates others of the same names at once. */
  async recreate(): Promise<void> {
    const { cluster } = this.#settings;
    const names = this.#names;
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
   * Deletes these pods and creates the others at the same time; the fault strikes when the first of the plugin's calls for them
   * has ended: when pods run the calls of most others are over as well. In the end these are gone and the others run.
   */
  async givesWayTo(others: Wave, fault: Fault): Promise<void> {
    const size = (): number => statSync(join(this.#settings.witness.node.machine.root, PLUGIN_LOG)).size;
    const before = size();
    await Promise.all([this.delete(), others.create()]);
    await until(() => size() > before, "a call of the plugin has ended", undefined, 120_000);
    await fault(others);
    await Promise.all([this.allGone(), others.allRun()]);
  }

  async #create(names: readonly string[]): Promise<void> {
    const { cluster, witness, networks, forced = false } = this.#settings;
    await cluster.pods.create(...names.map((name) => ({ name, node: witness.node.name, networks, forced })));
  }
}

/**
 * Waits until the annotations of the pods on a node, its reservations and its kernel tell the same addresses: each pod has its
 * interfaces and what is reserved for it, and nothing else is reserved. @throws when two interfaces had one address at any
 * instant.
 */
export async function agree(cluster: Cluster, witness: Witness, limitMs = AGREE_LIMIT_MS): Promise<void> {
  const { node } = witness;
  let [bare, told, reserved, held]: string[][] = [[], [], [], []];
  await until(
    async () => {
      const pods = cluster.pods.all.filter(({ spec }) => spec.nodeName === node.name);
      bare = pods.filter((pod) => !hasItsInterfaces(pod)).map(({ metadata }) => metadata.name);
      told = pods.flatMap(addressesOf).sort();
      reserved = (await node.ipam.reservations()).map(asText).sort();
      held = [...(await Witness.addresses(witness)).held];
      const addresses = told.map((line) => line.split(" ")[0]).sort();
      const doAgree = bare.length === 0 && told.join() === reserved.join() && addresses.join() === held.join();
      if (!doAgree) await delay(AGREE_EVERY_MS);
      return doAgree;
    },
    "pods, reservations and the kernel agree",
    () =>
      Object.entries({ "pods without an address": bare, pods: told, reserved, "on interfaces": held })
        .map(([what, lines]) => `${what}:\n${lines?.join("\n")}`)
        .join("\n"),
    limitMs,
  );
}

/** Whether the pod has an address on an interface for each network that it names. */
function hasItsInterfaces(pod: Pod): boolean {
  const named = JSON.parse(pod.metadata.annotations?.[NETWORKS_ANNOTATION] ?? "[]") as readonly unknown[];
  return interfacesOf(pod).filter(({ ips = [] }) => ips.length > 0).length === named.length;
}

/** Its addresses of ours, as `address uid interface`. */
function addressesOf(pod: Pod): readonly string[] {
  return interfacesOf(pod).flatMap(({ interface: name, ips = [] }) =>
    ips.map((address) => `${address} ${pod.metadata.uid} ${name}`),
  );
}

/** All but its first. */
function interfacesOf(pod: Pod): readonly NetworkStatus[] {
  return networkStatus(pod).filter(({ interface: name }) => name !== "eth0");
}

function asText({ addresses, pod, ifname }: ReservationItem): string {
  return `${addresses.join(" ")} ${pod?.uid} ${ifname}`;
}
