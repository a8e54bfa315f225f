/** WAIT is honest: what it counted on enough disks survives, whatever ack the write had (I15). */
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";

export interface WaitReport {
  /** How often WAIT made safe what was not acknowledged at ack=all. */
  readonly vouched: number;
}

/** `isLost`: the write was answered, is not there, and nobody wanted it away. Throws on the first contradiction. */
export function checkWaits(operations: readonly Operation[], isLost: (add: Operation) => boolean): WaitReport {
  let vouched = 0;
  const written = new Map<string, Operation[]>();
  for (const operation of operations) {
    const { args, reply, client } = operation;
    const connection = `${client} ${operation.connection}`;
    if (args[0] === "XADD" && typeof reply === "string") {
      const list = written.get(connection) ?? [];
      list.push(operation);
      written.set(connection, list);
    }
    // That a failover may have taken some back is said once; then WAIT speaks of what came after.
    if ((args[0] === "WAIT" || args[0] === "WAITAOF") && reply instanceof ErrorReply) written.delete(connection);
    if (!isSafeCount(operation)) continue;
    const list = written.get(connection) ?? [];
    const lost = list.find(isLost);
    if (lost !== undefined) {
      throw new Error(
        `${client}: ${args.join(" ")} gave ${JSON.stringify(reply)}, but ${lost.args.join(" ")}, answered ${JSON.stringify(lost.reply)} before, is lost`,
      );
    }
    if (list.some((add) => add.ack !== "ALL")) vouched++;
  }
  return { vouched };
}

/** WAIT counts followers that have it durable: two of them are a majority of three, and so are one and the leader's own log. */
function isSafeCount({ args, reply }: Operation): boolean {
  if (args[0] === "WAIT") return typeof reply === "number" && reply >= 2;
  if (args[0] !== "WAITAOF" || !Array.isArray(reply)) return false;
  const [local, replicas] = reply as number[];
  return replicas! >= 2 || (replicas! >= 1 && local! >= 1);
}
