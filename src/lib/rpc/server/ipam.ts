/** nvidia.ipam.node.v1.IPAMService over the ledger and its store: what the CNI plugin's ADD, DEL and CHECK arrive at. */
import type { PoolKind } from "../../api/types.ts";
import { type Address, formatAddress, parseAddress } from "../../ip/address.ts";
import type { Allocation, Choice, Ledger } from "../../reservations/ledger.ts";
import type { NodePool } from "../../reservations/pool.ts";
import type { Attachment, Owner } from "../../reservations/reservation.ts";
import { fail, ok, type Result } from "../../result.ts";
import {
  type AllocateRequest,
  type AllocateResponse,
  type AllocationInfo,
  type DeallocateRequest,
  type DeallocateResponse,
  type IPAMParameters,
  type IsAllocatedRequest,
  type IsAllocatedResponse,
  PoolType,
} from "../generated/node.ts";
import type { Caller, Refusal } from "./unary.ts";

/** The ledger together with the promise that what it says is on disk. */
export interface DurableLedger {
  readonly ledger: Ledger;
  /** Resolves when everything that the ledger says by now is durable; a failure has been undone in the ledger. */
  commit(): Promise<Result<void, { readonly message: string }>>;
  /** Why no reservation may be added now, if so. */
  admitsReservations(): Result<void, { readonly message: string }>;
}

/** The pools as this node serves them. */
export interface ServedPools {
  /** Whether the pools of the kind have been read once (R11). */
  known(kind: PoolKind): boolean;
  /** The ready-made pool, or why it is not served. */
  serve(kind: PoolKind, name: string): Result<NodePool, Refusal>;
}

/** How the service behaves. */
export interface IpamOptions {
  /** Accept requests that name no pod (standalone). */
  readonly podOptional: boolean;
  /** Lift R10's ban on static addresses in other nodes' blocks. */
  readonly allowStaticInOtherBlocks: boolean;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** What the plugin sends for a pod name or namespace that it was not told. */
const NO_POD = "-";

/** Texts longer than this in a request are refused: no runtime sends them. */
const MAX_TEXT = 1024;

/** The service's methods. */
export class IpamService {
  readonly #store: DurableLedger;
  readonly #pools: ServedPools;
  readonly #options: IpamOptions;

  constructor(store: DurableLedger, pools: ServedPools, options: IpamOptions) {
    this.#store = store;
    this.#pools = pools;
    this.#options = options;
  }

  /** CNI ADD. */
  async allocate(request: AllocateRequest, caller: Caller): Promise<Result<AllocateResponse, Refusal>> {
    const read = readParameters(request.parameters);
    if (!read.ok) return read;
    const { kind, names, attachment, owner, deviceID, requested, choice } = read.value;
    if (owner.type === "none" && !this.#options.podOptional) {
      return invalid("parameters.metadata.k8s_pod_name", "is required: this daemon serves pods only");
    }
    if (!this.#pools.known(kind)) return unavailable(`the ${kind}s are not known yet; the call will be tried again`);
    const admitted = this.#store.admitsReservations();
    if (!admitted.ok) return unavailable(admitted.error.message);
    const pools: NodePool[] = [];
    for (const name of names) {
      const pool = this.#pools.serve(kind, name);
      if (!pool.ok) return pool;
      pools.push(pool.value);
    }
    if (caller.gone()) return cancelled();
    const { ledger } = this.#store;
    const allocated = ledger.allocate({
      pools,
      attachment,
      owner,
      network: caller.header("nv-ipam-network"),
      deviceID,
      requested,
      choice,
      allowStaticInOtherBlocks: this.#options.allowStaticInOtherBlocks,
      now: this.#options.now(),
    });
    const committed = await this.#store.commit();
    if (!committed.ok) return unavailable(committed.error.message);
    if (!allocated.ok) return allocated;
    if (caller.gone()) return this.#withdraw(allocated.value);
    return ok({ allocations: allocated.value.map(allocationInfo) });
  }

  /** CNI CHECK. */
  async isAllocated(request: IsAllocatedRequest): Promise<Result<IsAllocatedResponse, Refusal>> {
    const read = readParameters(request.parameters);
    if (!read.ok) return read;
    const { kind, names, attachment, owner } = read.value;
    const pools = names.map((name) => ({ kind, name }));
    const held = this.#store.ledger.isAllocated({ pools, attachment, owner });
    const committed = await this.#store.commit();
    if (!committed.ok) return unavailable(committed.error.message);
    return held.ok ? ok({}) : held;
  }

  /** CNI DEL. */
  async deallocate(request: DeallocateRequest, caller: Caller): Promise<Result<DeallocateResponse, Refusal>> {
    const read = readParameters(request.parameters);
    if (!read.ok) return read;
    const { kind, names, attachment, owner } = read.value;
    const pools = names.map((name) => ({ kind, name }));
    this.#store.ledger.deallocate({ pools, attachment, owner, network: caller.header("nv-ipam-network") });
    const committed = await this.#store.commit();
    return committed.ok ? ok({}) : unavailable(committed.error.message);
  }

  /** Takes back what was reserved for a caller that has gone (R3); its DEL may have come before the ADD was begun. */
  async #withdraw(allocations: readonly Allocation[]): Promise<Result<AllocateResponse, Refusal>> {
    const made = allocations.filter(({ isNew }) => isNew).map(({ reservation }) => reservation);
    this.#store.ledger.release(made);
    await this.#store.commit();
    return cancelled();
  }
}

interface Asked {
  readonly kind: PoolKind;
  readonly names: readonly string[];
  readonly attachment: Attachment;
  readonly owner: Owner;
  readonly deviceID: string;
  readonly requested: readonly Address[];
  readonly choice: Choice;
}

/** The checks that all three methods share, in the original's order and with its status. */
function readParameters(parameters: IPAMParameters | undefined): Result<Asked, Refusal> {
  if (parameters === undefined) return invalid("parameters", "is required");
  const { pools, cniContainerid, cniIfname, metadata } = parameters;
  if (pools.length === 0 || pools.length > 2) return invalid("parameters.pools", "must name one or two pools");
  const empty = pools.indexOf("");
  if (empty >= 0) return invalid(`parameters.pools[${empty}]`, "must not be empty");
  if (new Set(pools).size < pools.length) return invalid("parameters.pools", "must name two different pools");
  const kind = poolKind(parameters.poolType);
  if (kind === undefined) return invalid("parameters.pool_type", "must be POOL_TYPE_IPPOOL or POOL_TYPE_CIDRPOOL");
  if (cniContainerid === "") return invalid("parameters.cni_containerid", "is required");
  if (cniIfname === "") return invalid("parameters.cni_ifname", "is required");
  if (metadata === undefined) return invalid("parameters.metadata", "is required");
  if (metadata.k8sPodName === "") return invalid("parameters.metadata.k8s_pod_name", "is required");
  if (metadata.k8sPodNamespace === "") return invalid("parameters.metadata.k8s_pod_namespace", "is required");
  const long = [...pools, cniContainerid, cniIfname, ...Object.values(metadata)].some((text) => text.length > MAX_TEXT);
  if (long) return invalid("parameters", `holds a text of more than ${MAX_TEXT} characters`);
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

function poolKind(type: PoolType): PoolKind | undefined {
  if (type === PoolType.POOL_TYPE_UNSPECIFIED || type === PoolType.POOL_TYPE_IPPOOL) return "IPPool";
  return type === PoolType.POOL_TYPE_CIDRPOOL ? "CIDRPool" : undefined;
}

function readOwner(metadata: NonNullable<IPAMParameters["metadata"]>): Owner {
  const { k8sPodName: name, k8sPodNamespace: namespace, k8sPodUid: uid } = metadata;
  return name === NO_POD ? { type: "none" } : { type: "pod", namespace, name, uid };
}

function readRequested(texts: readonly string[]): Result<readonly Address[], Refusal> {
  const addresses: Address[] = [];
  for (const [index, text] of texts.entries()) {
    const address = parseAddress(text);
    if (address === undefined)
      return invalid(`parameters.requested_ips[${index}]`, "must be an address without prefix length");
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

function allocationInfo({ pool, address, withGateway }: Allocation): AllocationInfo {
  return {
    pool: pool.id.name,
    ip: `${formatAddress(address)}/${pool.network.prefixLength}`,
    gateway: withGateway && pool.gateway !== undefined ? formatAddress(pool.gateway) : "",
    poolType: pool.id.kind === "IPPool" ? PoolType.POOL_TYPE_IPPOOL : PoolType.POOL_TYPE_CIDRPOOL,
    routes: withGateway ? pool.routes.map((dest) => ({ dest })) : [],
  };
}

function invalid(field: string, what: string): Result<never, Refusal> {
  return fail({ status: "InvalidArgument", message: `${field} ${what}` });
}

function unavailable(message: string): Result<never, Refusal> {
  return fail({ status: "Unavailable", message });
}

function cancelled(): Result<never, Refusal> {
  return fail({ status: "Cancelled", message: "the caller has gone; nothing was reserved" });
}
