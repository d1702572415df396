/** The original's flags, as its README lists them: name, type in its help, default. */

export interface OriginalFlag {
  readonly name: string;
  /** Empty for booleans. */
  readonly type: string;
  /** As its help writes it; empty where it says none. */
  readonly default: string;
}

/** The flags of one of its programs by the heading of their section. */
export type OriginalFlags = Readonly<Record<string, readonly OriginalFlag[]>>;

function table(text: string): readonly OriginalFlag[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const [name = "", type = "", ...rest] = line.trim().split(" ");
      return { name, type: type === "-" ? "" : type, default: rest.join(" ") };
    });
}

const LOGGING = table(`
  log-flush-frequency duration 5s
  log-json-info-buffer-size quantity
  log-json-split-stream -
  logging-format string "text"
  v Level
  vmodule pattern=N,...
`);

const COMMON = table(`
  feature-gates mapStringBool
  version -
`);

/** Its controller's, and ours'. */
export const CONTROLLER: OriginalFlags = {
  Logging: LOGGING,
  Common: COMMON,
  Controller: table(`
    health-probe-bind-address string ":8081"
    ippools-namespace string "kube-system"
    kubeconfig string
    leader-elect -
    leader-elect-namespace string "kube-system"
    metrics-bind-address string ":8080"
    webhook -
  `),
};

/** Its node daemon's, and ours'; --cni-force-pool-name is not in the README. */
export const NODE: OriginalFlags = {
  Logging: LOGGING,
  Common: COMMON,
  "Node daemon": table(`
    bind-address string "unix:///var/lib/cni/nv-ipam/daemon.sock"
    health-probe-bind-address string ":8081"
    kubeconfig string
    metrics-bind-address string ":8080"
    node-name string
    store-file string "/var/lib/cni/nv-ipam/store"
    ippools-namespace string "kube-system"
  `),
  "Shim CNI Configuration": table(`
    cni-bin-dir string "/opt/cni/bin"
    cni-conf-dir string "/etc/cni/net.d/nv-ipam.d"
    cni-daemon-call-timeout int 5
    cni-daemon-socket string "unix:///var/lib/cni/nv-ipam/daemon.sock"
    cni-force-pool-name -
    cni-log-file string "/var/log/nv-ipam-cni.log"
    cni-log-level string "info"
    cni-nv-ipam-bin-file string "/nv-ipam"
    cni-skip-nv-ipam-binary-copy -
    cni-skip-nv-ipam-config-creation -
  `),
};

/** Its gates with stage and default. */
export const GATES: readonly string[] = [
  "AllAlpha=true|false (ALPHA - default=false)",
  "AllBeta=true|false (BETA - default=false)",
  "ContextualLogging=true|false (ALPHA - default=false)",
  "LoggingAlphaOptions=true|false (ALPHA - default=false)",
  "LoggingBetaOptions=true|false (BETA - default=true)",
];
