/** What the Kubernetes node daemon's flags have beside those of every daemon. */
import { defineFlags } from "../flags/flags.ts";
import { endpointFlags } from "../observe/endpoints.ts";

const section = "Node daemon";

/** Flags of `nv-ipam node`. */
export const NODE_FLAGS = defineFlags({
  ...endpointFlags(section, { probes: ":8081", metrics: ":8080" }),
  kubeconfig: {
    type: "string",
    default: "",
    help: "Paths to a kubeconfig. Only required if out-of-cluster. Else $KUBECONFIG, the pod's service account, ~/.kube/config",
    section,
  },
  "cni-cache-dir": {
    type: "string",
    default: "/var/lib/cni,/var/lib/cni/multus",
    help: "Directories of libcni's cache, separated by commas: read when the store was lost",
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
