/**
 * EXEC as a shard gets it. A gateway keeps what its client has queued and sends all of it as one request, which the shard runs in one turn as one log
 * entry (I14). It is a request like any other to whoever carries it: numbered, refused, lost and answered as a whole.
 *
 *   EXEC slot watches READ|WRITE request …
 *
 * slot      of all keys, −1 when there is none
 * watches   WATCH calls that count; the leader has seen as many in its term, on this lane, or answers nil
 * request   one whole canonical request, as the client sent it
 *
 * A client can't say this: with arguments EXEC has a wrong number of them.
 */
import type { ByteWriter } from "@headrace/bytes";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { TakenTransaction } from "./transaction.ts";

const HEAD_ARGUMENTS = 4;

/** Only what runs on a shard is written. */
export function writeShardExec(writer: ByteWriter, { queued, watchCalls, slot }: TakenTransaction): void {
  const there = queued.filter(({ record }) => record.execute !== null);
  const writes = there.some(({ record }) => (record.flags & (Flag.write | Flag.pubsub)) !== 0);
  writer.latin1(`*${HEAD_ARGUMENTS + there.length}\r\n`);
  for (const word of ["EXEC", String(slot), String(watchCalls), writes ? "WRITE" : "READ"]) {
    writer.latin1(`$${word.length}\r\n${word}\r\n`);
  }
  for (const { bytes } of there) {
    writer.latin1(`$${bytes.length}\r\n`);
    writer.all(bytes);
    writer.latin1("\r\n");
  }
}

/** An EXEC with its transaction; whoever reads its parts has asked this. */
export function isShardExec(request: Request): boolean {
  return request.count >= HEAD_ARGUMENTS && request.is(0, "EXEC");
}

export const ShardExec = {
  slot: (request: Request): number => request.integer(1),
  watchCalls: (request: Request): number => request.integer(2),
  mayWrite: (request: Request): boolean => request.is(3, "WRITE"),
  count: (request: Request): number => request.count - HEAD_ARGUMENTS,
  /** The bytes of its queued request number i, a view. */
  part: (request: Request, i: number): Uint8Array =>
    request.bytes.subarray(request.start(HEAD_ARGUMENTS + i), request.end(HEAD_ARGUMENTS + i)),
} as const;
