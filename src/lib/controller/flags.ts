/** The controller's own flags. */
import { defineFlags } from "../flags/flags.ts";

const section = "Controller";

/** Flags of `nv-ipam controller`. */
export const CONTROLLER_FLAGS = defineFlags({
  "block-release-delay": {
    type: "duration",
    default: 600_000,
    help: "How long a block that its node gave up rests before another node may have it. 0: not at all",
    section,
  },
  "health-probe-bind-address": {
    type: "string",
    default: ":8081",
    help: "The address the probe endpoint binds to. 0 turns it off",
    section,
  },
  "ippools-namespace": {
    type: "string",
    default: "kube-system",
    help: "The name of the namespace to watch for IPPools and CIDRPools CRs",
    section,
  },
  kubeconfig: {
    type: "string",
    default: "",
    help: "Paths to a kubeconfig. Only required if out-of-cluster.",
    section,
  },
  "leader-elect": {
    type: "bool",
    default: false,
    help: "Enable leader election for controller manager. Enabling this will ensure there is only one active controller manager.",
    section,
  },
  "leader-elect-namespace": {
    type: "string",
    default: "kube-system",
    help: "Determines the namespace in which the leader election resource will be created.",
    section,
  },
  "metrics-bind-address": {
    type: "string",
    default: ":8080",
    help: "The address the metric endpoint binds to. 0 turns it off",
    section,
  },
  webhook: {
    type: "bool",
    default: false,
    help: "Enable validating webhook server as a part of the controller",
    section,
  },
  "webhook-bind-address": {
    type: "string",
    default: ":9443",
    help: "The address the webhook server binds to",
    section,
  },
  "webhook-cert-dir": {
    type: "string",
    default: "/tmp/k8s-webhook-server/serving-certs",
    help: "Directory with the webhook server's certificate tls.crt and key tls.key",
    section,
  },
});
