/** What a user does with pods, and what the cluster says of them. */
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { KubeObject, Resource } from "../../src/lib/kube/object.ts";
import { Reflector } from "../../src/lib/kube/reflector.ts";
import type { Change, StoreView } from "../../src/lib/kube/store.ts";
import { must } from "../cluster/_pools.ts";
import { until, within } from "../cluster/_wait.ts";
import { IMAGE } from "./_image.ts";

const PODS: Resource = { group: "", version: "v1", plural: "pods" };
const EVENTS: Resource = { group: "", version: "v1", plural: "events" };
const NETWORKS_ANNOTATION = "k8s.v1.cni.cncf.io/networks";
const STATUS_ANNOTATION = "k8s.v1.cni.cncf.io/network-status";

/** A network as a pod names it; with more than its name, Multus' own words for it. */
export type NetworkChoice = string | Readonly<{ name: string; interface?: string; [member: string]: unknown }>;

export interface PodSettings {
  readonly name: string;
  /** No scheduler runs: the node is said. */
  readonly node: string;
  readonly networks?: readonly NetworkChoice[];
  /** Whether a deletion removes the object at once, before the node knows, as `kubectl delete --force` does. */
  readonly forced?: boolean;
}

/** The parts of a pod that are looked at. */
export interface Pod extends KubeObject {
  readonly spec: { readonly nodeName?: string };
  readonly status?: {
    readonly phase?: string;
    readonly podIPs?: readonly { readonly ip: string }[];
    readonly containerStatuses?: readonly {
      readonly ready?: boolean;
      readonly containerID?: string;
      readonly state?: { readonly waiting?: { readonly reason?: string } };
    }[];
  };
}

/** One interface in a pod's network-status. */
export interface NetworkStatus {
  /** `namespace/name` of the network, or the name of the default one. */
  readonly name: string;
  readonly interface: string;
  readonly ips?: readonly string[];
  readonly gateway?: readonly string[];
}

const START_LIMIT_MS = 180_000;

/** The pods of one namespace, followed by a watch. */
export class Pods {
  readonly #client: KubeClient;
  readonly #namespace: string;
  readonly #reflector: Reflector<Pod>;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(client: KubeClient, namespace: string) {
    this.#client = client;
    this.#namespace = namespace;
    const backoff = { firstMs: 100, longestMs: 500 };
    this.#reflector = new Reflector({ client, resource: PODS, namespace, backoff, keep: (pod: Pod) => pod });
    this.#running = this.#reflector.run(this.#stop.signal);
  }

  /** Ends the watch. */
  async close(): Promise<void> {
    this.#stop.abort();
    await within(this.#running, `the watch of the pods in ${this.#namespace} ends`);
  }

  async create(...pods: readonly PodSettings[]): Promise<void> {
    await Promise.all(pods.map(async (pod) => must(await this.#client.create(PODS, this.#namespace, manifest(pod)))));
  }

  /** Creates pods and waits until they run. */
  async run(...pods: readonly PodSettings[]): Promise<void> {
    await this.create(...pods);
    await this.untilRunning(...pods.map(({ name }) => name));
  }

  /** Asks for the end of pods without waiting for it. */
  async delete(...names: readonly string[]): Promise<void> {
    await Promise.all(
      names.map(async (name) => must(await this.#client.delete(PODS, { namespace: this.#namespace, name }))),
    );
  }

  /** Deletes pods, also those that are going already, and waits until they are gone. */
  async remove(...names: readonly string[]): Promise<void> {
    for (const name of names) {
      const deleted = await this.#client.delete(PODS, { namespace: this.#namespace, name });
      if (!deleted.ok && deleted.error.code !== "notFound") must(deleted);
    }
    await this.untilGone(...names);
  }

  /** The pod as it was last seen. */
  get(name: string): Pod | undefined {
    return this.#view.get(`${this.#namespace}/${name}`);
  }

  get all(): readonly Pod[] {
    return [...this.#view.values()];
  }

  /** Calls the handler for each pod there is, and for every change. @returns ends it. */
  subscribe(handler: (change: Change<Pod>) => void): () => void {
    return this.#view.subscribe(handler);
  }

  async untilRunning(...names: readonly string[]): Promise<void> {
    await this.#until(names, isRunning, "Running");
  }

  async untilGone(...names: readonly string[]): Promise<void> {
    await this.#until(names, (pod) => pod === undefined, "gone");
  }

  /** Waits until one of the pod's events has a message with these words. @returns the message. */
  async untilEvent(name: string, words: RegExp): Promise<string> {
    let messages: readonly string[] = [];
    let found: string | undefined;
    await until(
      async () => {
        messages = await this.events(name);
        found = messages.find((message) => words.test(message));
        return found !== undefined;
      },
      `an event of pod ${name} says ${words}`,
      () => messages.join("\n"),
      START_LIMIT_MS,
    );
    return found ?? "";
  }

  /** The messages of a pod's events, each with its reason. */
  async events(name: string): Promise<readonly string[]> {
    interface Event extends KubeObject {
      readonly reason?: string;
      readonly message?: string;
    }
    const fieldSelector = `involvedObject.kind=Pod,involvedObject.name=${name}`;
    const { items } = must(await this.#client.list<Event>(EVENTS, { namespace: this.#namespace, fieldSelector }));
    return items.map(({ reason, message }) => `${reason}: ${message}`);
  }

  get #view(): StoreView<Pod> {
    return this.#reflector.store;
  }

  /** How a pod is, and what was said about it last. */
  async #story(name: string): Promise<string> {
    const said = await this.events(name).catch((reason: unknown) => [String(reason)]);
    return `${name}: ${JSON.stringify(this.get(name)?.status ?? null)}\n${said.slice(-3).join("\n")}`;
  }

  async #until(names: readonly string[], is: (pod: Pod | undefined) => boolean, what: string): Promise<void> {
    const others = (): readonly string[] => names.filter((name) => !is(this.get(name)));
    try {
      await until(
        () => this.#reflector.hasSynced && others().length === 0,
        `pods are ${what}`,
        undefined,
        START_LIMIT_MS,
      );
    } catch (error) {
      const stories = await Promise.all(others().map((name) => this.#story(name)));
      throw new Error(`pods are not ${what}:\n${stories.join("\n")}`, { cause: error });
    }
  }
}

export function isRunning(pod: Pod | undefined): boolean {
  return pod?.status?.phase === "Running" && (pod.status.containerStatuses ?? []).every(({ ready }) => ready === true);
}

/** What Multus says of a pod's interfaces; nothing when it has not said it yet. */
export function networkStatus(pod: Pod | undefined): readonly NetworkStatus[] {
  const text = pod?.metadata.annotations?.[STATUS_ANNOTATION];
  return text === undefined ? [] : (JSON.parse(text) as readonly NetworkStatus[]);
}

/** The pod as its API object. */
export function manifest({ name, node, networks = [], forced = false }: PodSettings): unknown {
  const chosen = networks.map((network) => (typeof network === "string" ? { name: network } : network));
  const annotations = chosen.length === 0 ? {} : { [NETWORKS_ANNOTATION]: JSON.stringify(chosen) };
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, annotations },
    spec: {
      nodeName: node,
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      dnsPolicy: "Default",
      // The image's first process ends at once when it is asked to.
      terminationGracePeriodSeconds: forced ? 0 : 30,
      containers: [{ name: "main", image: IMAGE, imagePullPolicy: "Never" }],
    },
  };
}
