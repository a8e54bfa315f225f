/**
 * The words of acknowledgement levels on the wire: `0`, `1`, `ALL` (and `DEFAULT` for a connection). Resolution, first that is set: the
 * command's own option, the connection's, the stream's, the cluster's.
 */
import type { Request } from "@headrace/resp";
import { Ack } from "./command.ts";

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
