/** The controller's own flags. */
import { defineFlags } from "../flags/flags.ts";
import { endpointFlags } from "../observe/endpoints.ts";

const section = "Controller";

/** Flags of `nv-ipam controller`. */
export const CONTROLLER_FLAGS = defineFlags({
  ...endpointFlags(section, { probes: ":8081", metrics: ":8080" }),
  "block-release-delay": {
    type: "duration",
    default: 600_000,
    help: "How long a block that its node gave up rests before another node may have it. 0: not at all, as the original",
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
    help: "Paths to a kubeconfig. Only required if out-of-cluster. Else $KUBECONFIG, the pod's service account, ~/.kube/config",
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
    help: "Determines the namespace in which the leader election resource will be created: the Lease dd1643cf.nvidia.com",
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
    help: "Directory with the webhook server's certificate tls.crt and key tls.key, read again when they change",
    section,
  },
});
