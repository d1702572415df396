/** nvidia.ipam.node.v1.IPAMService over the ledger and its store: what the CNI plugin's ADD, DEL and CHECK arrive at. */
import type { PoolKind } from "../../api/types.ts";
import { formatAddress } from "../../ip/address.ts";
import type { Allocation, Ledger } from "../../reservations/ledger.ts";
import type { NodePool } from "../../reservations/pool.ts";
import { fail, ok, type Result } from "../../result.ts";
import {
  type AllocateRequest,
  type AllocateResponse,
  type AllocationInfo,
  type DeallocateRequest,
  type DeallocateResponse,
  type IsAllocatedRequest,
  type IsAllocatedResponse,
  PoolType,
} from "../generated/node.ts";
import { textFault } from "../text.ts";
import { invalid, readParameters } from "./_parameters.ts";
import { Untold } from "./_untold.ts";
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
  /** Why no pool of the kind is served, a sentence; undefined when they have been read once (R11). */
  missing(kind: PoolKind): string | undefined;
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

/** Request header with the name of the CNI network, for GC. */
const NETWORK_HEADER = "nv-ipam-network";

/** The service's methods. */
export class IpamService {
  readonly #store: DurableLedger;
  readonly #pools: ServedPools;
  readonly #options: IpamOptions;
  readonly #untold = new Untold();

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
    const network = caller.header(NETWORK_HEADER);
    const fault = textFault(network);
    if (fault !== undefined) return invalid(`metadata ${NETWORK_HEADER}`, fault);
    if (owner.type === "none" && !this.#options.podOptional) {
      return invalid("parameters.metadata.k8s_pod_name", "is required: this daemon serves pods only");
    }
    const missing = this.#pools.missing(kind);
    if (missing !== undefined) return unavailable(`${missing}; the call will be tried again`);
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
      network,
      deviceID,
      requested,
      choice,
      allowStaticInOtherBlocks: this.#options.allowStaticInOtherBlocks,
      now: this.#options.now(),
    });
    const untold = allocated.ok ? this.#untold.join(allocated.value) : [];
    const committed = await this.#store.commit();
    if (!committed.ok || caller.gone()) {
      await this.#takeBack(this.#untold.leave(untold));
      return committed.ok ? cancelled() : unavailable(committed.error.message);
    }
    this.#untold.told(untold);
    return allocated.ok ? ok({ allocations: allocated.value.map(allocationInfo) }) : allocated;
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
    const { kind, names, attachment } = read.value;
    const pools = names.map((name) => ({ kind, name }));
    this.#store.ledger.deallocate({ pools, attachment, network: caller.header(NETWORK_HEADER) });
    const committed = await this.#store.commit();
    return committed.ok ? ok({}) : unavailable(committed.error.message);
  }

  /** Releases what was reserved for callers that have gone (R3); their DEL may have come before the ADD was begun. */
  async #takeBack(allocations: readonly Allocation[]): Promise<void> {
    if (this.#store.ledger.release(allocations.map(({ reservation }) => reservation)) > 0) await this.#store.commit();
  }
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

function unavailable(message: string): Result<never, Refusal> {
  return fail({ status: "Unavailable", message });
}

function cancelled(): Result<never, Refusal> {
  return fail({ status: "Cancelled", message: "the caller has gone; nothing was reserved" });
}
