import type { BinaryWriter } from "@bufbuild/protobuf/wire";
import type { handleUnaryCall, MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";

interface Codec<T> {
  encode(message: T): BinaryWriter;
  decode(input: Uint8Array): T;
}

/** A service as the generated code describes it (`IPAMServiceDefinition`, `DaemonServiceDefinition`). */
export interface GenericService {
  readonly fullName: string;
  readonly methods: Readonly<
    Record<
      string,
      {
        readonly name: string;
        // biome-ignore lint/suspicious/noExplicitAny: a codec takes its own message type only, so no narrower type fits all
        readonly requestType: Codec<any>;
        readonly requestStream: boolean;
        // biome-ignore lint/suspicious/noExplicitAny: as above
        readonly responseType: Codec<any>;
        readonly responseStream: boolean;
      }
    >
  >;
}

type Message<C> = C extends Codec<infer T> ? T : never;

/** The handlers that a grpc-js server needs for a service whose methods are all unary, by the generated method names. */
export type UnaryHandlers<S extends GenericService> = {
  [K in keyof S["methods"]]: handleUnaryCall<
    Message<S["methods"][K]["requestType"]>,
    Message<S["methods"][K]["responseType"]>
  >;
};

/** Makes of a generated service description what grpc-js takes: `server.addService(grpcService(definition), handlers)`. */
export function grpcService<S extends GenericService>(service: S): ServiceDefinition<UnaryHandlers<S>> {
  const methods: Record<string, MethodDefinition<unknown, unknown>> = {};
  for (const [key, method] of Object.entries(service.methods)) {
    methods[key] = {
      path: `/${service.fullName}/${method.name}`,
      originalName: key,
      requestStream: method.requestStream,
      responseStream: method.responseStream,
      requestSerialize: (value) => encode(method.requestType, value),
      requestDeserialize: (bytes) => method.requestType.decode(bytes),
      responseSerialize: (value) => encode(method.responseType, value),
      responseDeserialize: (bytes) => method.responseType.decode(bytes),
    };
  }
  return methods as ServiceDefinition<UnaryHandlers<S>>;
}

function encode<T>(codec: Codec<T>, value: T): Buffer {
  const bytes = codec.encode(value).finish();
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
