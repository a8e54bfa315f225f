/**
 * Acknowledgement levels: their words on the wire, `0`, `1`, `ALL` (and `DEFAULT` for a connection or a stream), and which one counts, first that
 * is set: the command's own option, the connection's, the stream's, the cluster's.
 */
import type { Keyspace } from "@headrace/engine";
import { latin1 } from "@headrace/bytes";
import type { Request } from "@headrace/resp";
import { Ack } from "./command.ts";
import type { CommandRecord } from "./command.ts";
import { findKeys } from "./keys.ts";

/** The level that argument i names, or null when it names none. */
export function readAck(request: Request, i: number): Ack | null {
  if (request.is(i, "ALL")) return Ack.committed;
  if (request.is(i, "1")) return Ack.persisted;
  if (request.is(i, "0")) return Ack.executed;
  return null;
}

const WORDS: readonly string[] = ["0", "1", "all"];

export function ackWord(ack: Ack | null): string {
  return ack === null ? "default" : WORDS[ack]!;
}

const positions: number[] = [];

/** What a write waits for that says nothing itself, on a connection that says nothing: the strictest of its streams, else the cluster's. */
export function streamAck(record: CommandRecord, request: Request, keyspace: Keyspace, cluster: Ack): Ack {
  if (!keyspace.anyAcks) return cluster;
  const found = findKeys(record, request, positions);
  if (found <= 0) return cluster;
  let strictest: Ack = Ack.executed;
  for (let i = 0; i < found; i++) {
    const at = positions[i]!;
    const key = keyspace.find(latin1(request.bytes, request.start(at), request.end(at)));
    const level = key?.stream?.ack ?? cluster;
    if (level > strictest) strictest = level;
  }
  return strictest;
}
