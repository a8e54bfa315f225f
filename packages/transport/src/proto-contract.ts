/**
 * Loads proto/*.proto, the contract between processes, and gives method paths and codecs from it. Peer frames alone have serialisers of
 * their own (peer-frame.ts) on the same paths.
 */
import { fileURLToPath } from "node:url";
import type { MethodDefinition, ServiceDefinition } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { assert } from "@headrace/bytes";

const protoDirectory = fileURLToPath(new URL("../../../proto/", import.meta.url));

// `longs: Number`: versions and incarnations are safe integers; a Long would be an object for nothing.
const definitions = loadSync(["raft.proto", "meta.proto", "node.proto"], {
  includeDirs: [protoDirectory],
  longs: Number,
  defaults: true,
});

export const raftService: ServiceDefinition = serviceOf("headrace.raft.v1.Raft");
export const metaService: ServiceDefinition = serviceOf("headrace.meta.v1.Meta");
export const nodeAdminService: ServiceDefinition = serviceOf("headrace.node.v1.NodeAdmin");

export function methodOf(service: ServiceDefinition, name: string): MethodDefinition<object, object> {
  const method = service[name];
  assert(method !== undefined, `proto: no method ${name}`);
  return method as MethodDefinition<object, object>;
}

function serviceOf(name: string): ServiceDefinition {
  const definition = definitions[name];
  assert(definition !== undefined && !("format" in definition), `proto: no service ${name}`);
  return definition as ServiceDefinition;
}

// Shapes of the messages of meta.proto as the loader gives and takes them.
export interface ProofMessage {
  readonly nonce: Uint8Array;
  readonly unixMs: number;
  readonly digest: Uint8Array;
}
export interface RequestMessage {
  readonly kind: string;
  readonly bodyJson: string;
  readonly proof: ProofMessage | null;
}
export interface ResponseMessage {
  readonly ok: boolean;
  readonly bodyJson: string;
  readonly payload: Uint8Array;
}
export interface WatchRequestMessage {
  readonly knownVersion: number;
  readonly proof: ProofMessage | null;
}
export interface StateMessage {
  readonly version: number;
  readonly stateJson: string;
}
export interface StatusRequestMessage {
  readonly proof: ProofMessage | null;
}
export interface StatusResponseMessage {
  readonly statusJson: string;
}
