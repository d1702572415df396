/** The node daemon as the plugin's commands see it: typed requests over the gRPC client. */
import { fail, ok, type Result } from "../result.ts";
import type { CallFailure, UnaryCall } from "../rpc/client/call.ts";
import type {
  CollectGarbageRequest,
  GetStatusRequest,
  GetStatusResponse,
  ListReservationsRequest,
  ReservationView,
} from "../rpc/generated/daemon.ts";
import {
  AllocateRequest,
  AllocateResponse,
  type AllocationInfo,
  DeallocateRequest,
  type IPAMParameters,
  IsAllocatedRequest,
} from "../rpc/generated/node.ts";
import { patient, type Waiting } from "./patient_call.ts";

/** The gRPC client: src/lib/rpc/client/call.ts, or a fake in tests. */
export type Call = (call: UnaryCall) => Promise<Result<Uint8Array, CallFailure>>;

/** Where and how long the daemon is asked. */
export interface CallSettings {
  /** A socket path, `unix:///path` or `tcp://host:port`. */
  readonly daemonSocket: string;
  /** Limit of each call, in milliseconds. */
  readonly timeoutMs: number;
}

/** What a call gives: its answer, or why there is none. */
export type Answer<T> = Promise<Result<T, CallFailure>>;

interface Encoder<T> {
  encode(message: T): { finish(): Uint8Array };
}

interface Decoder<T> {
  decode(bytes: Uint8Array): T;
}

const IPAM = "/nvidia.ipam.node.v1.IPAMService";
const DAEMON = "/nvipam.daemon.v1.DaemonService";

/** The daemon at one address, asked in the name of one network. */
export class Daemon {
  readonly #call: Call;
  /** For ADD and DEL: whoever restarts the daemon need not fail pods, nor lose the DEL that a runtime does not repeat. */
  readonly #patientCall: Call;
  readonly #settings: CallSettings;
  readonly #network: string;

  /** @param network is sent with each call, so that GC knows later which network a reservation belongs to. */
  constructor({ call, ...waiting }: Waiting & { readonly call: Call }, settings: CallSettings, network: string) {
    this.#call = call;
    this.#patientCall = patient(call, waiting);
    this.#settings = settings;
    this.#network = network;
  }

  /** Reserves one address of each pool. */
  async allocate(parameters: IPAMParameters): Answer<readonly AllocationInfo[]> {
    const [path, call] = [`${IPAM}/Allocate`, this.#patientCall];
    const answer = await this.#ask(path, AllocateRequest, { parameters }, AllocateResponse, call);
    return answer.ok ? ok(answer.value.allocations) : answer;
  }

  /** Succeeds if each pool holds an address for the attachment. */
  async isAllocated(parameters: IPAMParameters): Answer<void> {
    return this.#tell(`${IPAM}/IsAllocated`, IsAllocatedRequest, { parameters });
  }

  /** Frees what the attachment holds. */
  async deallocate(parameters: IPAMParameters): Answer<void> {
    return this.#tell(`${IPAM}/Deallocate`, DeallocateRequest, { parameters }, this.#patientCall);
  }

  /** What the attachment holds; the original's daemon answers UNIMPLEMENTED. */
  async reservations(containerId: string, ifname: string): Answer<readonly ReservationView[]> {
    const { ListReservationsRequest: encoder, ListReservationsResponse } = await daemonMessages();
    const request: ListReservationsRequest = { pageSize: 0, pageToken: "", containerId, ifname };
    const answer = await this.#ask(`${DAEMON}/ListReservations`, encoder, request, ListReservationsResponse);
    if (!answer.ok) return answer;
    return ok(answer.value.reservations.filter((held) => held.containerId === containerId && held.ifname === ifname));
  }

  /** CNI GC; gives the number of reservations that were freed. The original's daemon answers UNIMPLEMENTED. */
  async collectGarbage(request: CollectGarbageRequest): Answer<number> {
    const { CollectGarbageRequest: encoder, CollectGarbageResponse } = await daemonMessages();
    const answer = await this.#ask(`${DAEMON}/CollectGarbage`, encoder, request, CollectGarbageResponse);
    return answer.ok ? ok(answer.value.released) : answer;
  }

  /** CNI STATUS; the original's daemon answers UNIMPLEMENTED. */
  async status(request: GetStatusRequest): Answer<GetStatusResponse> {
    const { GetStatusRequest: encoder, GetStatusResponse } = await daemonMessages();
    return this.#ask(`${DAEMON}/GetStatus`, encoder, request, GetStatusResponse);
  }

  async #tell<Q>(path: string, encoder: Encoder<Q>, request: Q, call = this.#call): Answer<void> {
    const answer = await this.#send(path, encoder, request, call);
    return answer.ok ? ok(undefined) : answer;
  }

  async #ask<Q, A>(path: string, encoder: Encoder<Q>, request: Q, decoder: Decoder<A>, call = this.#call): Answer<A> {
    const answer = await this.#send(path, encoder, request, call);
    if (!answer.ok) return answer;
    try {
      return ok(decoder.decode(answer.value));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      return fail({ type: "protocol", status: 13, message: `the answer to ${path} cannot be decoded: ${reason}` });
    }
  }

  #send<Q>(path: string, encoder: Encoder<Q>, request: Q, call: Call): Answer<Uint8Array> {
    return call({
      target: this.#settings.daemonSocket,
      path,
      message: encoder.encode(request).finish(),
      metadata: { "nv-ipam-network": this.#network },
      timeoutMs: this.#settings.timeoutMs,
    });
  }
}

/** ADD and DEL do without these, so they do not load them. */
function daemonMessages(): Promise<typeof import("./daemon_messages.ts")> {
  return import("./daemon_messages.ts");
}
