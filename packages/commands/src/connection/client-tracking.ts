/**
 * CLIENT TRACKING, CACHING, GETREDIR, TRACKINGINFO. Client side caching is not supported: a cache that is never told what changed would serve what is
 * gone. So ON is refused, and everything else answers as Redis does on a connection without tracking.
 */
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

const shared = {
  flags: Flag.noscript | Flag.loading | Flag.stale,
  group: "connection",
  complexity: "O(1)",
  categories: ["connection"],
} as const;

export const tracking = defineCommand({
  ...shared,
  name: "client|tracking",
  arity: -3,
  since: "6.0.0",
  summary: "Enable or disable server assisted client side caching support",
  complexity: "O(1). Some options may introduce additional complexity.",
  syntax: "<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]",
  answer(context) {
    const { request, reply } = context;
    const error = optionsError(context);
    if (error !== null) return reply.error(error);
    if (request.is(2, "ON")) return reply.error(Errors.clientTracking);
    if (!request.is(2, "OFF")) return reply.error(Errors.syntax);
    reply.ok();
  },
});

function optionsError({ request, services }: SessionContext): string | null {
  for (let i = 3; i < request.count; i++) {
    const hasValue = i + 1 < request.count;
    if (request.is(i, "REDIRECT") && hasValue) {
      const error = redirectError(request, i + 1, services.sessions());
      if (error !== null) return error;
      i++;
    } else if (request.is(i, "PREFIX") && hasValue) {
      i++;
    } else if (!["BCAST", "OPTIN", "OPTOUT", "NOLOOP"].some((word) => request.is(i, word))) {
      return Errors.syntax;
    }
  }
  return null;
}

function redirectError(request: Request, i: number, sessions: Iterable<{ readonly id: number }>): string | null {
  const id = request.int64(i);
  if (id === null) return Errors.notInteger;
  for (const session of sessions) if (session.id === Number(id)) return null;
  return Errors.redirectNotFound;
}

export const caching = defineCommand({
  ...shared,
  name: "client|caching",
  arity: 3,
  since: "6.0.0",
  summary: "Instruct the server about tracking or not keys in the next request",
  syntax: "<YES | NO>",
  answer: ({ reply }) => reply.error(Errors.cachingWithoutTracking),
});

export const getredir = defineCommand({
  ...shared,
  name: "client|getredir",
  arity: 2,
  since: "6.0.0",
  summary: "Get tracking notifications redirection client ID if any",
  answer: ({ reply }) => reply.integer(-1),
});

export const trackinginfo = defineCommand({
  ...shared,
  name: "client|trackinginfo",
  arity: 2,
  since: "6.2.0",
  summary: "Return information about server assisted client side caching for the current connection",
  answer({ reply }) {
    reply.map(3);
    reply.bulkLatin1("flags");
    reply.set(1);
    reply.bulkLatin1("off");
    reply.bulkLatin1("redirect");
    reply.integer(-1);
    reply.bulkLatin1("prefixes");
    reply.array(0);
  },
});
