/** A gRPC client of both of the daemon's services, on @grpc/grpc-js. */
import * as grpc from "@grpc/grpc-js";
import {
  DaemonServiceDefinition,
  type GetStatusResponse,
  type ListPoolsResponse,
  type ReservationView,
} from "../src/lib/rpc/generated/daemon.ts";
import { IPAMServiceDefinition, PoolType } from "../src/lib/rpc/generated/node.ts";

type Definition = {
  readonly fullName: string;
  readonly methods: Readonly<
    Record<
      string,
      {
        readonly name: string;
        // The generated codecs of all methods, whose messages only the caller knows.
        readonly requestType: { encode(message: never): { finish(): Uint8Array } };
        readonly responseType: { decode(bytes: Uint8Array): unknown };
      }
    >
  >;
};

/** An error with the name of its status code. */
export class StatusError extends Error {
  readonly status: string;
  constructor(error: grpc.ServiceError) {
    super(error.details);
    this.status = String(grpc.status[error.code]);
  }
}

/** Which attachment a request is about. */
export interface Who {
  readonly pools: readonly string[];
  readonly container: string;
  readonly ifname?: string;
  readonly kind?: "IPPool" | "CIDRPool";
  readonly requested?: readonly string[];
}

export class DaemonClient {
  readonly #client: grpc.Client;

  /** @param target for example unix:///run/daemon.sock */
  constructor(target: string) {
    this.#client = new grpc.Client(target, grpc.credentials.createInsecure(), {
      "grpc.initial_reconnect_backoff_ms": 20,
      "grpc.max_reconnect_backoff_ms": 50,
    });
  }

  close(): void {
    this.#client.close();
  }

  /** @returns the addresses with prefix length. */
  async allocate(who: Who): Promise<readonly string[]> {
    const answer = await this.#call<{ allocations: { ip: string }[] }>(
      IPAMServiceDefinition,
      "allocate",
      parameters(who),
    );
    return answer.allocations.map(({ ip }) => ip);
  }

  async deallocate(who: Who): Promise<void> {
    await this.#call(IPAMServiceDefinition, "deallocate", parameters(who));
  }

  async isAllocated(who: Who): Promise<void> {
    await this.#call(IPAMServiceDefinition, "isAllocated", parameters(who));
  }

  async collectGarbage(network: string, valid: readonly { containerId: string; ifname: string }[]): Promise<number> {
    const request = { network, validAttachments: valid };
    return (await this.#call<{ released: number }>(DaemonServiceDefinition, "collectGarbage", request)).released;
  }

  status(pools: readonly string[] = [], poolKind = ""): Promise<GetStatusResponse> {
    return this.#call(DaemonServiceDefinition, "getStatus", { pools, poolKind });
  }

  pools(): Promise<ListPoolsResponse> {
    return this.#call(DaemonServiceDefinition, "listPools", {});
  }

  /** All reservations, page by page. */
  async reservations(): Promise<readonly ReservationView[]> {
    const all: ReservationView[] = [];
    let pageToken = "";
    do {
      const request = { pageSize: 0, pageToken, containerId: "", ifname: "" };
      const page = await this.#call<{ reservations: ReservationView[]; nextPageToken: string }>(
        DaemonServiceDefinition,
        "listReservations",
        request,
      );
      all.push(...page.reservations);
      pageToken = page.nextPageToken;
    } while (pageToken !== "");
    return all;
  }

  #call<Response>(definition: Definition, method: string, request: unknown, network = "net-a"): Promise<Response> {
    const found = definition.methods[method];
    if (found === undefined) throw new Error(`no method ${method}`);
    const metadata = new grpc.Metadata();
    metadata.set("nv-ipam-network", network);
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        `/${definition.fullName}/${found.name}`,
        (message: unknown) => Buffer.from(found.requestType.encode(message as never).finish()),
        (bytes) => found.responseType.decode(bytes) as Response,
        request,
        metadata,
        { deadline: Date.now() + 20_000 },
        (error, answer) => {
          if (error) reject(new StatusError(error));
          else if (answer === undefined) reject(new Error("no answer"));
          else resolve(answer);
        },
      );
    });
  }
}

function parameters(who: Who): unknown {
  return {
    parameters: {
      pools: who.pools,
      cniContainerid: who.container,
      cniIfname: who.ifname ?? "net1",
      metadata: {
        k8sPodName: `pod-${who.container}`,
        k8sPodNamespace: "default",
        k8sPodUid: `uid-${who.container}`,
        deviceId: "",
      },
      poolType: who.kind === "CIDRPool" ? PoolType.POOL_TYPE_CIDRPOOL : PoolType.POOL_TYPE_IPPOOL,
      requestedIps: who.requested ?? [],
    },
  };
}
