import { fail, ok, type Result } from "../../result.ts";
import type { AllocationInfo } from "../../rpc/generated/node.ts";
import { type CniError, daemonError, ErrorCode, quote } from "../error.ts";
import { formatResult } from "../result.ts";
import { type AttachmentContext, type Done, parameters, podGiven, soundRequest } from "./context.ts";

/** CNI ADD: reserves one address of each pool and gives the result. */
export async function add(context: AttachmentContext): Promise<Result<Done, CniError>> {
  const { config, daemon, settings, request } = context;
  const sound = soundRequest(context);
  if (!sound.ok) return sound;
  const pod = podGiven(context);
  if (!pod.ok) return pod;
  const { allocateDefaultGateway, allocateIPWithIndex } = request;
  const answer = await daemon.allocate({
    ...parameters(context),
    requestedIps: [...request.addresses],
    features: {
      allocateDefaultGateway,
      ...(allocateIPWithIndex === undefined ? {} : { allocateIpWithIndex: allocateIPWithIndex }),
    },
  });
  if (!answer.ok) return fail(withNameTaken(daemonError(answer.error), request.poolsNamed));
  const fault = faultOf(answer.value, request.pools.length);
  if (fault !== undefined) {
    return fail({
      code: ErrorCode.daemon,
      message: `the answer of the node daemon at ${settings.daemonSocket} cannot be used: ${fault}; see its log and version`,
    });
  }
  return ok({
    stdout: formatResult(config.cniVersion, answer.value),
    fields: { addresses: answer.value.map(({ ip }) => ip) },
  });
}

/** A pool that does not exist may be one that nobody has named. */
function withNameTaken(error: CniError, poolsNamed: boolean): CniError {
  if (poolsNamed || error.code !== ErrorCode.poolNotFound) return error;
  return {
    ...error,
    message: `${error.message} (the config has no ipam.poolName, so the network's name is taken for it)`,
  };
}

function faultOf(allocations: readonly AllocationInfo[], pools: number): string | undefined {
  if (allocations.length !== pools) return `it has ${allocations.length} addresses for ${pools} pools`;
  for (const { ip, gateway, routes } of allocations) {
    if (!isCidr(ip)) return `${quote(ip)} is no address with prefix length`;
    if (gateway !== "" && !/^[\da-fA-F:.]+$/.test(gateway)) return `gateway ${quote(gateway)} is no address`;
    const route = routes.find(({ dest }) => !isCidr(dest));
    if (route !== undefined) return `route ${quote(route.dest)} is no network`;
  }
  return undefined;
}

function isCidr(text: string): boolean {
  return /^[\da-fA-F:.]+\/\d{1,3}$/.test(text);
}
