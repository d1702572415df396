/** What our manifests bring into a cluster, and what the cluster would do with it: controllers that run, a Service, accounts. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { POOL_RESOURCES } from "../../src/lib/api/resources.ts";
import type { KubeClient } from "../../src/lib/kube/client.ts";
import type { Resource } from "../../src/lib/kube/object.ts";
import type { ApiServer } from "../cluster/_api_server.ts";
import { type CertificateFiles, makeCertificate } from "../cluster/_certificates.ts";
import { Kubectl } from "../cluster/_kubectl.ts";
import { API_VERSION, installCrds, must, until } from "../cluster/_pools.ts";
import type { Account } from "./_account.ts";
import { Controller } from "./_controller.ts";
import { CONTROLLERS, OBJECTS, type Program, programOf, webhooks } from "./_manifests.ts";
import type { Reaper } from "./_reaper.ts";
import { settled } from "./_settled.ts";
import type { Switch } from "./_switch.ts";

const SLICES: Resource = { group: "discovery.k8s.io", version: "v1", plural: "endpointslices" };
/** Where everything of ours is, pools as well: the namespace that the original's manifests name. */
export const POOL_NAMESPACE = "kube-system";
const WEBHOOK_SERVICE = "nv-ipam-webhook-service";

export interface DeploymentSettings {
  /** Where the controllers' machines have their roots. */
  readonly directory: string;
  readonly reaper: Reaper;
  readonly switch: Switch;
  readonly api: ApiServer;
  /** More flags of the controllers. */
  readonly controllerFlags: readonly string[];
}

export class Deployment {
  /** In the order of their starts, those too that have ended and were not replaced. */
  readonly controllers: Controller[] = [];
  readonly #settings: DeploymentSettings;
  readonly #client: KubeClient;
  readonly #kubectl: Kubectl;
  /** Of the webhook. */
  readonly #certificate: CertificateFiles;
  #started = 0;
  #endpoints: Promise<unknown> = Promise.resolve();

  private constructor(settings: DeploymentSettings) {
    this.#settings = settings;
    this.#client = settings.api.client();
    this.#kubectl = new Kubectl(settings.api.kubeconfig);
    const names = [`DNS:${WEBHOOK_SERVICE}.${POOL_NAMESPACE}.svc`];
    this.#certificate = makeCertificate(settings.directory, "webhook", { names });
  }

  /** Puts what our manifests have into the cluster; no program is started yet. */
  static async apply(settings: DeploymentSettings): Promise<Deployment> {
    const deployment = new Deployment(settings);
    await settled<unknown>([installCrds(deployment.#client), deployment.#kubectl.apply(OBJECTS)]);
    return deployment;
  }

  /** How a node's daemon is started. */
  async daemon(nodeName: string): Promise<{ readonly program: Program; readonly account: Account }> {
    const program = programOf("daemon", nodeName);
    return { program, account: await this.#account(program) };
  }

  /** Starts as many controllers as are wanted, and waits until all are ready and the API server asks their webhook. */
  async startControllers(count = CONTROLLERS): Promise<void> {
    await settled(Array.from({ length: count }, () => this.startController()));
    if (count === 0) return;
    await this.#kubectl.apply(webhooks(this.#certificate.cert));
    await this.#untilWebhookIsAsked();
  }

  /** Starts one more controller and waits until it is ready. */
  async startController(...flags: readonly string[]): Promise<Controller> {
    const { directory, controllerFlags } = this.#settings;
    const name = `controller-${++this.#started}`;
    const program = programOf("controller");
    const controller = await Controller.start({
      ...this.#settings,
      name,
      root: join(directory, name),
      program,
      account: await this.#account(program),
      certificate: this.#certificate,
      flags: [...controllerFlags, ...flags],
    });
    this.controllers.push(controller);
    await this.#showEndpoints();
    // Nobody asks the webhook of one that has ended.
    controller.process.ended().then(() => this.#showEndpoints().catch(() => undefined));
    return controller;
  }

  /** Starts as many controllers as have ended, as a Deployment does. */
  async replaceEnded(): Promise<void> {
    const ended = this.controllers.filter(({ process }) => !process.running);
    for (const controller of ended) this.controllers.splice(this.controllers.indexOf(controller), 1);
    await settled(ended.map(() => this.startController()));
  }

  /** The controller that leads, once there is one. */
  async leader(): Promise<Controller> {
    let leader: Controller | undefined;
    await until(
      async () => {
        const leads = await Promise.all(this.controllers.map((controller) => controller.isLeader()));
        leader = this.controllers[leads.indexOf(true)];
        return leader !== undefined;
      },
      "a controller leads",
      () => this.controllers.map(({ process }) => process.log).join("\n"),
      60_000,
    );
    if (leader === undefined) throw new Error("no controller leads");
    return leader;
  }

  /** A new token of the account that a program is, and where the API server is. */
  async #account({ account }: Program): Promise<Account> {
    const {
      api,
      switch: { hostAddress },
    } = this.#settings;
    const where = `--namespace=${POOL_NAMESPACE}`;
    const token = await this.#kubectl.run(["create", "token", account, where, "--duration=24h"]);
    return {
      token: token.trim(),
      authority: readFileSync(api.caFile, "utf8"),
      namespace: POOL_NAMESPACE,
      server: { host: hostAddress, port: api.port },
    };
  }

  /** Says where the webhook is reached, as a cluster does for a Service; one time after the other, so that the last word counts. */
  #showEndpoints(): Promise<void> {
    const shown = this.#endpoints.then(() => this.#putEndpoints());
    this.#endpoints = shown.catch(() => undefined);
    return shown;
  }

  async #putEndpoints(): Promise<void> {
    const running = this.controllers.filter(({ process }) => process.running);
    const slice = {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: WEBHOOK_SERVICE, labels: { "kubernetes.io/service-name": WEBHOOK_SERVICE } },
      addressType: "IPv4",
      endpoints: running.map(({ address }) => ({ addresses: [address], conditions: { ready: true } })),
      ports: [{ name: "", port: 9443, protocol: "TCP" }],
    };
    const query = { fieldManager: "test", force: "true" };
    const name = { namespace: POOL_NAMESPACE, name: WEBHOOK_SERVICE };
    must(await this.#client.patch(SLICES, name, slice, { type: "apply", query }));
  }

  /** Waits until the API server refuses, after asking the webhook, what the CRD alone lets pass. */
  async #untilWebhookIsAsked(): Promise<void> {
    const staticAllocations = [{ prefix: "10.0.1.0/24" }, { prefix: "10.0.1.0/24" }];
    const spec = { cidr: "10.0.0.0/16", perNodeNetworkPrefix: 24, staticAllocations };
    const pool = { apiVersion: API_VERSION, kind: "CIDRPool", metadata: { name: "probe" }, spec };
    const name = { namespace: POOL_NAMESPACE, name: "probe" };
    const query = { fieldManager: "test", dryRun: "All" };
    let said = "";
    await until(
      async () => {
        const answer = await this.#client.patch(POOL_RESOURCES.CIDRPool, name, pool, { type: "apply", query });
        said = answer.ok ? "it was accepted" : answer.error.message;
        return /admission webhook .* denied/.test(said);
      },
      "the API server asks the webhook",
      () => said,
    );
  }
}
