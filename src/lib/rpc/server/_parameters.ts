/** Reads and checks what the three methods of IPAMService have in common. */
import type { PoolKind } from "../../api/types.ts";
import { type Address, parseAddress } from "../../ip/address.ts";
import type { Choice } from "../../reservations/ledger.ts";
import type { Attachment, Owner } from "../../reservations/reservation.ts";
import { fail, ok, type Result } from "../../result.ts";
import { type IPAMParameters, PoolType } from "../generated/node.ts";
import { textFault } from "../text.ts";
import type { Refusal } from "./unary.ts";

/** What a request asks for. */
export interface Asked {
  readonly kind: PoolKind;
  readonly names: readonly string[];
  readonly attachment: Attachment;
  readonly owner: Owner;
  readonly deviceID: string;
  readonly requested: readonly Address[];
  readonly choice: Choice;
}

const MAX_POOLS = 2;

/** What the plugin sends for a pod name or namespace that it was not told. */
const NO_POD = "-";

/** Most static addresses that a request may ask for: no runtime comes near it. */
const MAX_REQUESTED = 64;

/** The checks that all three methods share, in the original's order and with its status. */
export function readParameters(parameters: IPAMParameters | undefined): Result<Asked, Refusal> {
  if (parameters === undefined) return invalid("parameters", "is required");
  const { pools, cniContainerid, cniIfname, metadata } = parameters;
  if (pools.length === 0 || pools.length > MAX_POOLS) {
    return invalid("parameters.pools", "must name one or two pools");
  }
  const empty = pools.indexOf("");
  if (empty >= 0) return invalid(`parameters.pools[${empty}]`, "must not be empty");
  if (pools[0] === pools[1]) {
    const message = `pool ${JSON.stringify(pools[0])} is named twice; name it once, or two different pools`;
    return fail({ status: "InvalidArgument", message });
  }
  const kind = poolKind(parameters.poolType);
  if (kind === undefined) return invalid("parameters.pool_type", "must be POOL_TYPE_IPPOOL or POOL_TYPE_CIDRPOOL");
  if (cniContainerid === "") return invalid("parameters.cni_containerid", "is required");
  if (cniIfname === "") return invalid("parameters.cni_ifname", "is required");
  if (metadata === undefined) return invalid("parameters.metadata", "is required");
  const { k8sPodName, k8sPodNamespace } = metadata;
  if (k8sPodName === "") return invalid("parameters.metadata.k8s_pod_name", "is required");
  if (k8sPodNamespace === "") return invalid("parameters.metadata.k8s_pod_namespace", "is required");
  const texts = [
    ...pools,
    cniContainerid,
    cniIfname,
    k8sPodName,
    k8sPodNamespace,
    metadata.k8sPodUid,
    metadata.deviceId,
  ];
  for (let index = 0; index < texts.length; index++) {
    const fault = textFault(texts[index] ?? "");
    if (fault !== undefined) return invalid(fieldAt(index, pools.length), fault);
  }
  const requested = readRequested(parameters.requestedIps);
  if (!requested.ok) return requested;
  const choice = readChoice(parameters, requested.value);
  if (!choice.ok) return choice;
  return ok({
    kind,
    names: pools,
    attachment: { containerID: cniContainerid, ifname: cniIfname },
    owner: readOwner(metadata),
    deviceID: metadata.deviceId,
    requested: requested.value,
    choice: choice.value,
  });
}

const TEXT_FIELDS = [
  "cni_containerid",
  "cni_ifname",
  "metadata.k8s_pod_name",
  "metadata.k8s_pod_namespace",
  "metadata.k8s_pod_uid",
  "metadata.device_id",
];

/** Names the text at that place among the pools and what comes behind them. */
function fieldAt(index: number, pools: number): string {
  return `parameters.${index < pools ? `pools[${index}]` : TEXT_FIELDS[index - pools]}`;
}

function poolKind(type: PoolType): PoolKind | undefined {
  if (type === PoolType.POOL_TYPE_UNSPECIFIED || type === PoolType.POOL_TYPE_IPPOOL) return "IPPool";
  return type === PoolType.POOL_TYPE_CIDRPOOL ? "CIDRPool" : undefined;
}

function readOwner(metadata: NonNullable<IPAMParameters["metadata"]>): Owner {
  const { k8sPodName: name, k8sPodNamespace: namespace, k8sPodUid: uid } = metadata;
  return name === NO_POD ? { type: "none" } : { type: "pod", namespace, name, uid };
}

function readRequested(texts: readonly string[]): Result<readonly Address[], Refusal> {
  if (texts.length > MAX_REQUESTED) {
    return invalid("parameters.requested_ips", `must not have more than ${MAX_REQUESTED} addresses`);
  }
  const addresses: Address[] = [];
  for (const [index, text] of texts.entries()) {
    const address = parseAddress(text);
    if (address === undefined) {
      return invalid(`parameters.requested_ips[${index}]`, "must be an address without prefix length");
    }
    addresses.push(address);
  }
  return ok(addresses);
}

function readChoice(parameters: IPAMParameters, requested: readonly Address[]): Result<Choice, Refusal> {
  const gateway = parameters.features?.allocateDefaultGateway ?? false;
  const index = parameters.features?.allocateIpWithIndex;
  const name = gateway ? "parameters.features.allocate_default_gateway" : "parameters.features.allocate_ip_with_index";
  if (gateway && index !== undefined) return invalid(name, "can't be used together with allocate_ip_with_index");
  if ((gateway || index !== undefined) && requested.length > 0) {
    return invalid(name, "can't be used together with requested addresses");
  }
  if (gateway) return ok({ type: "gateway" });
  if (index === undefined) return ok({ type: "next" });
  return index < 0 ? invalid(name, "must not be negative") : ok({ type: "index", index });
}

/** The refusal of a request whose field is wrong. */
export function invalid(field: string, what: string): Result<never, Refusal> {
  return fail({ status: "InvalidArgument", message: `${field} ${what}` });
}
