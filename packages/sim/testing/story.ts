/** What stories for checkers are told with: operations that clients have begun and ended at steps of a run. */
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";

/** It may have happened. */
export const uncertain: ErrorReply = new ErrorReply("UNCERTAIN The fate of this write is unknown");
/** It has not. */
export const refused: ErrorReply = new ErrorReply("CLUSTERDOWN nothing happened");

let clients = 0;

/** Of a client of its own. `reply`: undefined where none came. */
export function did(
  from: number,
  to: number,
  words: string,
  reply: ReplyValue | undefined,
  ack: AckLevel = "ALL",
): Operation {
  const client = `c${++clients}`;
  return {
    client,
    args: words.split(" "),
    ack,
    connection: 1,
    invokedStep: from,
    completedStep: to,
    reply,
    open: false,
  };
}
