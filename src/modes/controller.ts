/** `nv-ipam controller`: gives each node its block of every pool, in the pools' status, and validates pools as a webhook. */
import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { join } from "node:path";
import { API_VERSION, type PoolObject } from "../lib/api/types.ts";
import { Controller } from "../lib/controller/controller.ts";
import { CONTROLLER_FLAGS } from "../lib/controller/flags.ts";
import { ControllerMetrics } from "../lib/controller/metrics.ts";
import { reviewPool } from "../lib/controller/review.ts";
import { defineFlags, type FlagValues } from "../lib/flags/flags.ts";
import { runCommand } from "../lib/flags/run_command.ts";
import { type AdmissionRequest, AdmissionServer } from "../lib/kube/admission.ts";
import type { KubeClient } from "../lib/kube/client.ts";
import { connect } from "../lib/kube/connect.ts";
import { ElectionLog } from "../lib/kube/election_log.ts";
import { EventRecorder } from "../lib/kube/events.ts";
import { LeaderElection } from "../lib/kube/leader_election.ts";
import { openEndpoints } from "../lib/observe/endpoints.ts";
import { parseBindAddress } from "../lib/observe/http_endpoint.ts";
import type { Log } from "../lib/observe/log.ts";
import { LOG_FLAGS } from "../lib/observe/log_flags.ts";
import { fail, ok, type Result } from "../lib/result.ts";
import { BUILD } from "../version.ts";
import { runDaemon } from "./_daemon.ts";

const FLAGS = defineFlags({ ...LOG_FLAGS, ...CONTROLLER_FLAGS });

/** Its command line; docs/flags.md lists the flags. */
export const COMMAND = {
  name: "controller",
  summary: "Divides the pools of a cluster among its nodes.",
  flags: FLAGS,
};

/** The original's, so that the two never lead at the same time. */
const LEASE_NAME = "dd1643cf.nvidia.com";
const WEBHOOK_PATHS = [
  "/validate-nv-ipam-nvidia-com-v1alpha1-ippool",
  "/validate-nv-ipam-nvidia-com-v1alpha1-cidrpool",
];
/** Milliseconds for each part that is ended when the process stops. */
const STOP_MS = 1000;

type Values = FlagValues<typeof FLAGS>;
type Closing = () => Promise<void>;

/** Runs until SIGTERM or SIGINT. @returns 0; 1 when it cannot run; 2 when the flags are wrong. */
export function run(args: readonly string[]): Promise<number> {
  return runCommand(COMMAND, args, async (values) => {
    const wrong = wrongValue(values);
    if (wrong !== undefined) return { message: wrong, isUsage: true };
    return runDaemon("controller", values, (log, stop) => serve(values, log, stop));
  });
}

function wrongValue(values: Values): string | undefined {
  if (values["block-release-delay"] < 0) return "--block-release-delay: a rest cannot be negative; 0 means none";
  const webhook = values["webhook-bind-address"];
  if (parseBindAddress(webhook) === undefined) {
    return `--webhook-bind-address=${webhook}: write :9443 or 127.0.0.1:9443`;
  }
  if (values["leader-elect-namespace"] === "") return "--leader-elect-namespace: name the namespace of the Lease";
  return values["ippools-namespace"] === "" ? "--ippools-namespace: name the namespace of the pools" : undefined;
}

/** @returns why the controller had to end, if it was not told to. */
async function serve(values: Values, log: Log, stop: AbortSignal): Promise<Result<undefined, string>> {
  const userAgent = `nv-ipam-controller/${BUILD.version}`;
  const connected = connect({ path: values.kubeconfig, env: process.env }, userAgent);
  if (!connected.ok) return fail(connected.error.message);
  const client = connected.value;
  const namespace = values["ippools-namespace"];
  log.info("Starting", { role: "controller", version: BUILD.version, namespace, server: client.server });

  const recorder = recordEvents(client, log.named("events"));
  let isLeader = (): boolean => false;
  const controller: Controller = new Controller({
    client,
    namespace,
    releaseDelayMs: values["block-release-delay"],
    record: (pool, event) => recorder.record(subjectOf(pool, namespace), event),
    log: log.named("pools"),
    observer: {
      reconciled: (...args) => metrics.reconciled(...args),
      forget: (key) => metrics.forget(key),
    },
  });
  const metrics = new ControllerMetrics({
    view: controller.view,
    watches: controller.watches,
    queueDepth: () => controller.queueDepth,
    isLeader: () => isLeader(),
    build: BUILD,
  });

  const ended = new AbortController();
  const both = AbortSignal.any([stop, ended.signal]);
  const closings: Closing[] = [() => recorder.stop(STOP_MS)];
  const watching = controller.watch(both);
  const served = await serveEndpoints(values, controller, metrics, log);
  if (served.ok) {
    closings.push(...served.value);
    await controller.synced(both);
    if (!stop.aborted) {
      log.info("Nodes and pools are known", {
        nodes: controller.view.nodes().length,
        pools: controller.view.pools().length,
      });
      await lead(values, controller, client, log.named("leader"), stop, (leads) => {
        isLeader = leads;
      });
    }
  }
  ended.abort();
  await Promise.all([watching, ...closings.map((close) => close())]);
  await client.close();
  return served.ok ? ok(undefined) : served;
}

/** Leads at once, or whenever the Lease allows it, until it is told to stop. */
async function lead(
  values: Values,
  controller: Controller,
  client: KubeClient,
  log: Log,
  stop: AbortSignal,
  onLeader: (isLeader: () => boolean) => void,
): Promise<void> {
  if (!values["leader-elect"]) {
    onLeader(() => true);
    await controller.lead(() => true, stop);
    return;
  }
  const election = new LeaderElection({
    client,
    namespace: values["leader-elect-namespace"],
    name: LEASE_NAME,
    identity: `${hostname()}_${randomUUID()}`,
    observer: new ElectionLog(log),
  });
  onLeader(() => election.isLeader);
  for (;;) {
    // What is left of a lead that is over must not write under the next one.
    let isOver = false;
    const end = await election.run(stop, (signal) => {
      log.info("This process leads");
      return controller.lead(() => !isOver && election.mayWrite(), signal);
    });
    isOver = true;
    if (end === "stopped") return;
    log.warning("The Lease could not be renewed in time; this process stands by");
  }
}

/** Probes, metrics and the webhook. @returns how each is closed, or why one could not be opened. */
async function serveEndpoints(
  values: Values,
  controller: Controller,
  metrics: ControllerMetrics,
  log: Log,
): Promise<Result<readonly Closing[], string>> {
  const opened = await openEndpoints({
    healthProbeAddress: values["health-probe-bind-address"],
    checks: { caches: () => controller.missing },
    metricsAddress: values["metrics-bind-address"],
    metrics: metrics.exposition.routes(),
    log,
  });
  if (!opened.ok) return opened;
  const closings: Closing[] = [opened.value];
  if (values.webhook) {
    const webhook = admissionServer(values, controller, log.named("webhook"));
    const started = await webhook.start();
    if (!started.ok) {
      await opened.value();
      return started;
    }
    metrics.showWebhook(webhook);
    closings.push(() => webhook.stop(STOP_MS));
  }
  return ok(closings);
}

function admissionServer(values: Values, controller: Controller, log: Log): AdmissionServer {
  const { host, port } = parseBindAddress(values["webhook-bind-address"]) ?? { host: undefined, port: 9443 };
  const review = (request: AdmissionRequest) =>
    reviewPool(request, values["ippools-namespace"], controller.missing === undefined ? controller.view : undefined);
  return new AdmissionServer({
    port,
    ...(host !== undefined && { host }),
    certFile: join(values["webhook-cert-dir"], "tls.crt"),
    keyFile: join(values["webhook-cert-dir"], "tls.key"),
    reviewers: Object.fromEntries(WEBHOOK_PATHS.map((path) => [path, review])),
    observer: {
      reloaded: () => log.info("The webhook uses a new certificate"),
      notReloaded: (message) => log.warning("The webhook's certificate could not be read anew", { err: message }),
      threw: (path, error) => log.error("A review failed", { path, err: error }),
    },
  });
}

function recordEvents(client: KubeClient, log: Log): EventRecorder {
  return new EventRecorder({
    client,
    component: "nv-ipam-controller",
    observer: {
      failed: ({ message }) => log.warning("An Event could not be recorded", { err: message }),
      dropped: ({ kind, name }, { reason }) =>
        log.info("An Event was left out", { pool: `${kind}/${name}`, reason }, 2),
    },
  });
}

function subjectOf({ kind, metadata: { name, uid } }: PoolObject, namespace: string) {
  return { apiVersion: API_VERSION, kind, namespace, name, uid };
}
