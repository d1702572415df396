/** Calls the plugin's core with everything around it made up: environment, network config, files, daemon, clock and log. */
import type { Call } from "../../src/lib/cni/daemon.ts";
import { runPlugin } from "../../src/lib/cni/plugin.ts";
import { fail, ok, type Result } from "../../src/lib/result.ts";
import type { CallFailure, UnaryCall } from "../../src/lib/rpc/client/call.ts";
import { DaemonServiceDefinition } from "../../src/lib/rpc/generated/daemon.ts";
import { type AllocationInfo, IPAMServiceDefinition } from "../../src/lib/rpc/generated/node.ts";

interface Codec {
  // biome-ignore lint/suspicious/noExplicitAny: a codec takes its own message type only, so no narrower type fits all
  encode(message: any): { finish(): Uint8Array };
  decode(bytes: Uint8Array): unknown;
}

interface Method {
  readonly name: string;
  readonly requestType: Codec;
  readonly responseType: Codec;
}

const METHODS: ReadonlyMap<string, Method> = new Map(
  [IPAMServiceDefinition, DaemonServiceDefinition].flatMap((service) =>
    Object.values(service.methods).map((method: Method) => [`/${service.fullName}/${method.name}`, method] as const),
  ),
);

/** What the daemon answers, by method: a message or a failure. A method that is not there is not implemented. */
export type Answers = Readonly<Record<string, object | CallFailure>>;

/** One call that reached the daemon. */
export interface Asked {
  readonly method: string;
  readonly request: unknown;
  readonly call: UnaryCall;
}

/** A daemon that answers as told and remembers what it was asked. */
export function fakeDaemon(answers: Answers): { readonly call: Call; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const call: Call = async (options) => {
    const method = METHODS.get(options.path);
    if (method === undefined) throw new Error(`no service has ${options.path}`);
    asked.push({ method: method.name, request: method.requestType.decode(options.message), call: options });
    const answer = answers[method.name];
    if (answer === undefined) return fail(status(12, `${method.name} is not implemented`));
    return isFailure(answer) ? fail(answer) : ok(method.responseType.encode(answer).finish());
  };
  return { call, asked };
}

function isFailure(answer: object): answer is CallFailure {
  return "type" in answer && "message" in answer;
}

/** The failure that a gRPC status of the daemon is. */
export function status(code: number, message: string): CallFailure {
  return { type: "status", status: code, message };
}

/** An answer to Allocate. */
export function allocated(...allocations: readonly Partial<AllocationInfo>[]): object {
  const all = allocations.map((given) => ({ pool: "pool1", ip: "", gateway: "", poolType: 1, routes: [], ...given }));
  return { allocations: all };
}

/** One address of 192.168.0.0/16. */
export const ONE = allocated({ ip: "192.168.0.2/16", gateway: "192.168.0.1" });

/** A daemon for which all goes well. */
export const WELL: Answers = {
  Allocate: ONE,
  Deallocate: {},
  IsAllocated: {},
  ListReservations: { reservations: [], nextPageToken: "" },
  CollectGarbage: { released: 0 },
  GetStatus: { ready: true, reasons: [], serving: true },
};

export const POD_ARGS = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=pod-c1;K8S_POD_UID=uid-c1";

/** A network config that is complete. */
export const CONFIG = {
  cniVersion: "1.1.0",
  name: "net-a",
  type: "macvlan",
  ipam: { type: "nv-ipam", poolName: "pool1" },
};

/** One call of the plugin; what is not said is as a runtime would have it. */
export interface Story {
  readonly command?: string;
  readonly config?: unknown;
  /** Instead of `config`, as it is. */
  readonly stdin?: Uint8Array | string;
  readonly args?: string;
  /** Variables that differ; undefined removes one. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Content of files by path. */
  readonly files?: Readonly<Record<string, unknown>>;
  readonly answers?: Answers;
  readonly call?: Call;
}

/** What came of it. */
export interface Told {
  readonly exitCode: number;
  readonly stdout: string;
  /** stdout as JSON; {} when it is empty. */
  readonly answer: { readonly cniVersion?: string; readonly code?: number; readonly msg?: string } & Record<
    string,
    unknown
  >;
  readonly asked: readonly Asked[];
  /** The variables that were looked at. */
  readonly variables: ReadonlySet<string>;
  /** Lines of the log, each "path: line". */
  readonly log: readonly string[];
}

/** Tells the story to the plugin. */
export async function tell(story: Story): Promise<Told> {
  const daemon = fakeDaemon(story.answers ?? WELL);
  const log: string[] = [];
  const variables = new Set<string>();
  let time = Date.parse("2026-11-22T08:00:00Z");
  let elapsedMs = 45;
  const stdin = story.stdin ?? JSON.stringify(story.config ?? CONFIG);
  const { exitCode, stdout } = await runPlugin({
    env: watched(environment(story), variables),
    readStdin: async () => ok(typeof stdin === "string" ? Buffer.from(stdin) : stdin),
    readFile: (path) => readFile(story.files ?? {}, path),
    call: story.call ?? daemon.call,
    appendToLog: (path, text) => log.push(`${path}: ${text}`),
    now: () => (time += 5),
    elapsedMs: () => elapsedMs,
    cpuMs: () => 40,
    sleep: async (ms) => {
      elapsedMs += ms;
    },
    isAwaited: () => true,
  });
  return { exitCode, stdout, answer: stdout === "" ? {} : JSON.parse(stdout), asked: daemon.asked, variables, log };
}

function environment({ command = "ADD", args = POD_ARGS, env = {} }: Story): Record<string, string | undefined> {
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: "c1",
    CNI_IFNAME: "net1",
    CNI_NETNS: "/run/netns/there-is-none",
    CNI_PATH: "/opt/cni/bin",
    CNI_ARGS: args,
    ...env,
  };
}

function watched<T extends object>(env: T, seen: Set<string>): T {
  return new Proxy(env, {
    get: (target, name) => {
      seen.add(String(name));
      return Reflect.get(target, name);
    },
  });
}

function readFile(files: Readonly<Record<string, unknown>>, path: string): Result<Uint8Array | undefined, string> {
  const content = files[path];
  if (content === undefined) return ok(undefined);
  if (content instanceof Error) return fail(content.message);
  return ok(Buffer.from(typeof content === "string" ? content : JSON.stringify(content)));
}
