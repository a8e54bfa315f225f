/**
 * Names of groups that clients create and nobody destroys: a group that was created at ack=all, or that an error or a list said to exist, exists for
 * everybody who asks later (I6: errors are reads).
 */
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { NAMED_GROUPS } from "../workload-commands.ts";
import { isCommittedLevel, NEVER } from "./reading.ts";

interface Known {
  readonly since: number;
  readonly by: Operation;
}

/** Throws on the first contradiction. Answers how many errors were judged as reads. */
export function checkGroupNames(operations: readonly Operation[]): number {
  const known = new Map<string, Known>();
  const meet = (name: string, by: Operation): void => {
    const since = known.get(name)?.since ?? NEVER;
    if (by.completedStep < since) known.set(name, { since: by.completedStep, by });
  };
  const asked = operations.filter(({ args, reply }) => args.includes(NAMED_GROUPS) && reply !== undefined);
  let errors = 0;
  for (const operation of asked) {
    const { args, reply } = operation;
    if (args[1] === "GROUPS") for (const name of namesIn(operation) ?? []) meet(name, operation);
    if (args[1] !== "CREATE") continue;
    const isTaken = reply instanceof ErrorReply && reply.code === "BUSYGROUP";
    if (isTaken) errors++;
    if (isTaken || (reply === "OK" && isCommittedLevel(operation))) meet(args[3]!, operation);
  }
  for (const operation of asked) {
    const { args, reply } = operation;
    const names = namesIn(operation);
    // Below ack=all OK is no promise: a leader that is none any more may have given it, for a write that is lost.
    if (reply === "OK" && isCommittedLevel(operation)) refute(known.get(args[3]!), args[3]!, operation);
    if (names !== null) for (const [name, found] of known) if (!names.includes(name)) refute(found, name, operation);
  }
  return errors;
}

function refute(found: Known | undefined, name: string, operation: Operation): void {
  if (found === undefined || operation.invokedStep <= found.since) return;
  throw new Error(
    `group ${name} existed for ${found.by.client} ${found.by.args.join(" ")} (step ${found.since}), but not for ${operation.client} ${operation.args.join(" ")} (steps ${operation.invokedStep}–${operation.completedStep})`,
  );
}

/** Null: not a list of groups. */
function namesIn({ args, reply }: Operation): readonly string[] | null {
  if (args[1] !== "GROUPS") return null;
  if (reply instanceof ErrorReply) return null;
  return Array.isArray(reply) ? (reply as unknown as string[][]).map((row) => row[1]!) : null;
}
