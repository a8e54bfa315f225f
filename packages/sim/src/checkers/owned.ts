/**
 * Keys that one client alone touches, in the order of its requests: every answer is the one that a plain model of lists and sorted sets gives, and in the end
 * each key holds what the model holds. A request that was refused has not happened; from the first one on whose fate is unknown the key is judged no more. A read
 * that was sent before it and had no answer yet may be one that was asked again, behind it.
 */
import { isOwned } from "../owned-work.ts";
import { ErrorReply } from "../reply-value.ts";
import type { Operation } from "../sim-client.ts";
import { PlainLists, type PlainValue, PlainZsets } from "./plain-values.ts";
import { isDoubtful, NEVER } from "./reading.ts";

/** The number of answers that were compared. `final`: key → all of it, with the scores. Throws on the first contradiction. */
export function checkOwned(operations: readonly Operation[], final: ReadonlyMap<string, readonly string[]>): number {
  const models = new Map<string, PlainValue>();
  const unknown = unknownFrom(operations);
  let compared = 0;
  for (const operation of operations) {
    const { args, reply, client } = operation;
    const key = args[1] ?? "";
    if (!isOwned(key)) continue;
    const owner = ownerOf(key);
    const from = unknown.get(owner) ?? NEVER;
    if (from < operation.completedStep || isDoubtful(operation) || isRefused(reply!)) continue;
    let model = models.get(owner);
    if (model === undefined) models.set(owner, (model = key.startsWith("l") ? new PlainLists() : new PlainZsets()));
    const expected = model.ask(args);
    compared++;
    if (JSON.stringify(reply) !== JSON.stringify(expected))
      throw new Error(
        `${client}: ${args.join(" ")} was answered with ${JSON.stringify(reply)} instead of ${JSON.stringify(expected)}`,
      );
  }
  for (const [key, found] of final) {
    if (unknown.has(ownerOf(key))) continue;
    const expected = models.get(ownerOf(key))?.whole(key) ?? [];
    if (JSON.stringify(found) !== JSON.stringify(expected))
      throw new Error(`${key} is ${JSON.stringify(found)} at the end instead of ${JSON.stringify(expected)}`);
  }
  return compared;
}

/** Owner → when the first request was sent whose fate is unknown. */
function unknownFrom(operations: readonly Operation[]): ReadonlyMap<string, number> {
  const unknown = new Map<string, number>();
  for (const operation of operations) {
    const key = operation.args[1] ?? "";
    if (!isOwned(key) || !isDoubtful(operation)) continue;
    const owner = ownerOf(key);
    unknown.set(owner, Math.min(operation.invokedStep, unknown.get(owner) ?? NEVER));
  }
  return unknown;
}

/** Of the two keys of one kind. */
function ownerOf(key: string): string {
  return key.replace("-2-", "-1-");
}

/** Nothing has happened; a plain -ERR is an answer. */
function isRefused(reply: Operation["reply"]): boolean {
  return reply instanceof ErrorReply && reply.code !== "ERR";
}
