/**
 * One connection of bytes. To a unix socket it goes over Node's own binding for pipes: the module node:net with its streams
 * costs a plugin call, which needs none of them, a fifth of an empty process's start. Elsewhere, and should a Node come
 * without the binding, it is node:net.
 */
import type { Socket } from "node:net";
import type { Address } from "./target.ts";

/** A connection that is made or being made. */
export interface Wire {
  /** Sends bytes, once connected; the bytes must not change any more. */
  write(bytes: Uint8Array): void;
  /** Drops the connection. Nothing is told afterwards, and nothing of it keeps the process alive. */
  destroy(): void;
}

/** What becomes of a connection; at most one of `ended` and `failed` is told. */
export interface WireEvents {
  connected(): void;
  data(bytes: Buffer): void;
  ended(): void;
  failed(error: NodeJS.ErrnoException): void;
}

/** Begins to connect. Events are told in later turns of the event loop. */
export function connectWire(address: Address, events: WireEvents): Wire {
  const bindings = "path" in address ? pipeBindings() : undefined;
  return bindings !== undefined && "path" in address
    ? new PipeWire(bindings, address.path, events)
    : new SocketWire(address, events);
}

class SocketWire implements Wire {
  readonly #socket: Socket;

  constructor(address: Address, events: WireEvents) {
    this.#socket = process.getBuiltinModule("node:net").connect(address);
    this.#socket.on("connect", () => events.connected());
    this.#socket.on("data", (bytes) => events.data(bytes));
    this.#socket.on("end", () => events.ended());
    this.#socket.on("error", (error: NodeJS.ErrnoException) => events.failed(error));
  }

  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

interface Handle {
  onread: (buffer: ArrayBuffer | undefined) => void;
  connect(request: object, path: string): number | undefined;
  readStart(): number;
  writeBuffer(request: object, bytes: Uint8Array): number;
  close(): void;
}

interface PipeBindings {
  readonly Pipe: new (type: number) => Handle;
  readonly PipeConnectWrap: new () => { oncomplete: (status: number) => void };
  readonly WriteWrap: new () => { oncomplete: (status: number) => void; buffer: Uint8Array };
  /** `constants.SOCKET`. */
  readonly socketType: number;
  /** What the last read gave: its length or a negative errno, and where it begins in the buffer. */
  readonly lastRead: () => { readonly length: number; readonly offset: number };
}

/** Libuv's number for the end of a stream. */
const UV_EOF = -4095;

class PipeWire implements Wire {
  readonly #bindings: PipeBindings;
  readonly #handle: Handle;
  readonly #events: WireEvents;
  #open = true;
  /** Why nothing can be written any more. An answer that came before is still there: what ends the call is its end. */
  #unwritable: number | undefined;

  constructor(bindings: PipeBindings, path: string, events: WireEvents) {
    this.#bindings = bindings;
    this.#events = events;
    this.#handle = new bindings.Pipe(bindings.socketType);
    this.#handle.onread = (buffer) => this.#read(buffer);
    const request = new bindings.PipeConnectWrap();
    request.oncomplete = (status) => this.#connected(status);
    const status = this.#handle.connect(request, path) ?? 0;
    if (status < 0) process.nextTick(() => this.#fail("connect", status));
  }

  write(bytes: Uint8Array): void {
    if (!this.#open || this.#unwritable !== undefined) return;
    const request = new this.#bindings.WriteWrap();
    // The request keeps the bytes until the kernel has them.
    request.buffer = bytes;
    request.oncomplete = (status) => this.#written(status);
    this.#written(this.#handle.writeBuffer(request, bytes));
  }

  destroy(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#handle.close();
  }

  #connected(status: number): void {
    if (!this.#open) return;
    if (!this.#check("connect", status) || !this.#check("read", this.#handle.readStart())) return;
    this.#events.connected();
  }

  #written(status: number): void {
    if (status < 0) this.#unwritable ??= status;
  }

  #read(buffer: ArrayBuffer | undefined): void {
    if (!this.#open) return;
    const { length, offset } = this.#bindings.lastRead();
    if (length > 0 && buffer !== undefined) this.#events.data(Buffer.from(buffer, offset, length));
    else if (length < 0 && this.#unwritable !== undefined) this.#fail("write", this.#unwritable);
    else if (length === UV_EOF) this.#events.ended();
    else this.#check("read", length);
  }

  #check(what: string, status: number): boolean {
    if (status < 0) this.#fail(what, status);
    return status >= 0;
  }

  #fail(what: string, status: number): void {
    if (!this.#open) return;
    this.destroy();
    const code = process.getBuiltinModule("node:util").getSystemErrorName(status);
    this.#events.failed(Object.assign(new Error(`${what} ${code}`), { code, syscall: what }));
  }
}

/** @returns undefined where Node does not give them away. */
function pipeBindings(): PipeBindings | undefined {
  try {
    // Deprecated in documentation only (DEP0111) and not typed; the executable brings along the Node it was tested with.
    const { binding } = process as unknown as { binding(name: string): Record<string, unknown> };
    const pipe = binding.call(process, "pipe_wrap") as unknown as Pick<PipeBindings, "Pipe" | "PipeConnectWrap"> & {
      readonly constants: { readonly SOCKET: number };
    };
    const stream = binding.call(process, "stream_wrap") as unknown as Pick<PipeBindings, "WriteWrap"> & {
      readonly streamBaseState: Int32Array;
      readonly kReadBytesOrError: number;
      readonly kArrayBufferOffset: number;
    };
    const { streamBaseState, kReadBytesOrError, kArrayBufferOffset } = stream;
    return {
      Pipe: pipe.Pipe,
      PipeConnectWrap: pipe.PipeConnectWrap,
      WriteWrap: stream.WriteWrap,
      socketType: pipe.constants.SOCKET,
      lastRead: () => ({
        length: streamBaseState[kReadBytesOrError] ?? UV_EOF,
        offset: streamBaseState[kArrayBufferOffset] ?? 0,
      }),
    };
  } catch {
    return undefined;
  }
}
