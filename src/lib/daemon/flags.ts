/** The node daemon's own flags, the same for `node` and `standalone`. The plugin's (`--cni-*`) stand with its installer. */
import { defineFlags } from "../flags/flags.ts";

const section = "Node daemon";

/** Flags of the daemon itself. */
export const DAEMON_FLAGS = defineFlags({
  "bind-address": {
    type: "string",
    default: "unix:///var/lib/cni/nv-ipam/daemon.sock",
    help: "GRPC server bind address. e.g.: tcp://127.0.0.1:9092, unix:///var/lib/foo",
    section,
  },
  "node-name": { type: "string", default: "", help: "The name of the Node on which the daemon runs", section },
  "store-file": {
    type: "string",
    default: "/var/lib/cni/nv-ipam/store",
    help: "Path of the file which used to store allocations, and of the files beside it",
    section,
    refuse: (path) => (path === "" ? "name a file" : undefined),
  },
  "allow-insecure-bind": {
    type: "bool",
    default: false,
    help: "Allow a tcp:// bind address that is not a loopback address. Whoever reaches it can take addresses",
    section,
  },
  "allow-static-ip-in-other-blocks": {
    type: "bool",
    default: false,
    help: "Allow a static address that lies in another node's block and is not excluded there",
    section,
  },
});
