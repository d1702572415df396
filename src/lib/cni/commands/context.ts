import type { Attachment } from "../../reservations/reservation.ts";
import { fail, ok, type Result } from "../../result.ts";
import { type IPAMParameters, PoolType } from "../../rpc/generated/node.ts";
import type { CniArguments } from "../arguments.ts";
import type { Daemon } from "../daemon.ts";
import { type CniError, ErrorCode } from "../error.ts";
import type { Log, LogFields } from "../log.ts";
import type { NetworkConfig } from "../network_config.ts";
import type { PoolRequest } from "../pool_request.ts";
import type { Settings } from "../settings.ts";

/** What every command works with. */
export interface Context {
  readonly config: NetworkConfig;
  readonly settings: Settings;
  readonly request: PoolRequest;
  readonly daemon: Daemon;
  readonly log: Log;
}

/** What the commands about one attachment work with. */
export interface AttachmentContext extends Context {
  readonly attachment: Attachment;
  readonly args: CniArguments;
  /** PCI address of the SR-IOV device, or "". */
  readonly deviceID: string;
}

/** What a command gives when it succeeds. */
export interface Done {
  /** The result for stdout; only ADD has one. */
  readonly stdout: string;
  /** What the log tells of it. */
  readonly fields: LogFields;
}

/** Success without more to say. */
export const DONE: Done = { stdout: "", fields: {} };

/** What stands for a pod that is not known: the daemon demands a name and a namespace. */
const NO_POD = "-";

/** The first fault of what is asked, for the commands that need all of it. */
export function soundRequest({ config, request }: Context): Result<void, CniError> {
  const fault = config.faults[0] ?? request.nameFault;
  return fault === undefined ? ok(undefined) : fail(fault);
}

/** Refuses a request without a pod, unless nv-ipam.conf allows it. */
export function podGiven({ settings, args }: AttachmentContext): Result<void, CniError> {
  const missing = [args.podName === "" ? "K8S_POD_NAME" : "", args.podNamespace === "" ? "K8S_POD_NAMESPACE" : ""];
  const names = missing.filter((name) => name !== "").join(" and ");
  if (names === "" || settings.podOptional) return ok(undefined);
  return fail({
    code: ErrorCode.environment,
    message: `CNI_ARGS does not hold ${names}; the runtime must name the pod, or nv-ipam.conf must have "podOptional": true`,
  });
}

/** What the daemon is told about the attachment; without wishes, which only ADD has. */
export function parameters(context: AttachmentContext): IPAMParameters {
  const { attachment, args, request, deviceID } = context;
  return {
    pools: [...request.pools],
    cniContainerid: attachment.containerID,
    cniIfname: attachment.ifname,
    metadata: {
      k8sPodName: args.podName || NO_POD,
      k8sPodNamespace: args.podNamespace || NO_POD,
      k8sPodUid: args.podUID,
      deviceId: deviceID,
    },
    poolType: request.poolKind === "CIDRPool" ? PoolType.POOL_TYPE_CIDRPOOL : PoolType.POOL_TYPE_IPPOOL,
    requestedIps: [],
    features: { allocateDefaultGateway: false },
  };
}
