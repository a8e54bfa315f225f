/**
 * What XDELEX and XACKDEL share: `[KEEPREF|DELREF|ACKED] IDS n id …` in any order, and what the ids become. Source: t_stream.c of Redis 8.2.
 *
 * An id that is named twice meets what its first naming has left: so the later ones are judged here, and effects get each id once.
 */
import { ReferencePolicy } from "@headrace/engine";
import type { StreamId } from "@headrace/engine";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Errors } from "../errors.ts";
import { readReferencePolicy } from "./reference-policy.ts";

/** What is answered for an id. */
export const IdOutcome = { missing: -1, done: 1, kept: 2 } as const;
export type IdOutcome = (typeof IdOutcome)[keyof typeof IdOutcome];

export interface NamedIds {
  readonly policy: ReferencePolicy;
  /** Argument of the first id, and how many there are. */
  readonly firstId: number;
  readonly idCount: number;
}

/** The options from argument `from` on; or the error text. The ids themselves are read later: key and group come first. */
export function readNamedIds(request: Request, from: number): NamedIds | string {
  let policy: ReferencePolicy = ReferencePolicy.keep;
  let firstId = 0;
  let idCount = 0;
  for (let i = from; i < request.count; i++) {
    const named = readReferencePolicy(request, i);
    // The last one counts.
    if (named !== null) {
      policy = named;
    } else if (firstId === 0 && request.is(i, "IDS") && i + 1 < request.count) {
      idCount = readLong(request, i + 1);
      if (!(idCount >= 1)) return Errors.idCountNotPositive;
      if (idCount > request.count - i - 2) return Errors.idCountMismatch;
      firstId = i + 2;
      i += 1 + idCount;
    } else {
      return Errors.syntax;
    }
  }
  if (firstId === 0) return Errors.idsMissing;
  return { policy, firstId, idCount };
}

/** `idCount` times that there is nothing: no key, no group. */
export function answerAllMissing(reply: ReplyWriterApi, idCount: number): void {
  reply.array(idCount);
  for (let i = 0; i < idCount; i++) reply.integer(IdOutcome.missing);
}

/**
 * Writes the outcome of each id. `decide` is asked once for each; an id that comes again is missing, unless the first naming left everything as
 * it was (`isUnchanged`).
 */
export function answerOutcomes(
  reply: ReplyWriterApi,
  ids: readonly StreamId[],
  decide: (id: StreamId) => IdOutcome,
  isUnchanged: (outcome: IdOutcome) => boolean,
): void {
  const outcomes = new Map<string, IdOutcome>();
  reply.array(ids.length);
  for (const id of ids) {
    const text = id.toString();
    const before = outcomes.get(text);
    const outcome = before === undefined ? decide(id) : isUnchanged(before) ? before : IdOutcome.missing;
    if (before === undefined) outcomes.set(text, outcome);
    reply.integer(outcome);
  }
}
