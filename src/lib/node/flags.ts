/** What the Kubernetes node daemon's flags have beside those of every daemon. */
import { defineFlags } from "../flags/flags.ts";
import { parseBindAddress } from "../observe/http_endpoint.ts";

const section = "Node daemon";

/** Flags of `nv-ipam node`. */
export const NODE_FLAGS = defineFlags({
  "health-probe-bind-address": {
    type: "string",
    default: ":8081",
    help: "The address the probe endpoint binds to. 0 turns it off",
    section,
    refuse: refuseAddress,
  },
  "metrics-bind-address": {
    type: "string",
    default: ":8080",
    help: "The address the metric endpoint binds to. 0 turns it off",
    section,
    refuse: refuseAddress,
  },
  kubeconfig: {
    type: "string",
    default: "",
    help: "Paths to a kubeconfig. Only required if out-of-cluster.",
    section,
  },
  "ippools-namespace": {
    type: "string",
    default: "kube-system",
    help: "The name of the namespace to watch for IPPools and CIDRPools CRs.",
    section,
    refuse: (name) => (name === "" ? "name the namespace of the pools" : undefined),
  },
});

function refuseAddress(address: string): string | undefined {
  return address === "0" || parseBindAddress(address) !== undefined ? undefined : "write :8080 or 127.0.0.1:8080";
}
