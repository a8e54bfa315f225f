/**
 * CLIENT KILL addr, and CLIENT KILL filter value …: closes connections of this process. The old form answers +OK or an error, the new one how many
 * were closed; a connection that kills itself gets its reply first.
 */
import { Flag } from "../command.ts";
import type { Session, SessionContext } from "../command.ts";
import { Errors, noSuchUser, unknownClientType } from "../errors.ts";
import { defineCommand } from "../record.ts";
import { DEFAULT_USER } from "./auth.ts";
import type { ClientType } from "./client-type.ts";
import { clientTypeOf, readClientType } from "./client-type.ts";

interface KillFilter {
  id: number | null;
  address: string | null;
  localAddress: string | null;
  type: ClientType | null;
  maxAgeSeconds: number | null;
  skipsAsker: boolean;
}

const FILTER =
  "<ID client-id | TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB> | USER username | ADDR ip:port | LADDR ip:port | SKIPME <YES | NO> | MAXAGE maxage>";

export const kill = defineCommand({
  name: "client|kill",
  arity: -3,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "2.4.0",
  group: "connection",
  summary: "Kill the connection of a client",
  complexity: "O(N) where N is the number of client connections",
  syntax: `<ip:port | ${FILTER} [${FILTER} ...]>`,
  categories: ["connection"],
  answer(context) {
    const { request, reply } = context;
    if (request.count === 3) {
      // In the old form a client may kill itself.
      const found = killAll(context, { ...noFilter(), address: request.latin1(2), skipsAsker: false });
      if (found === 0) return reply.error(Errors.noSuchClient);
      return reply.ok();
    }
    const filter = readFilter(context);
    if (typeof filter === "string") return reply.error(filter);
    reply.integer(killAll(context, filter));
  },
});

function noFilter(): KillFilter {
  return { id: null, address: null, localAddress: null, type: null, maxAgeSeconds: null, skipsAsker: true };
}

/** The filters, all of which have to fit, or the error text. */
function readFilter({ request }: SessionContext): KillFilter | string {
  const filter = noFilter();
  for (let i = 2; i < request.count; i += 2) {
    if (i + 1 >= request.count) return Errors.syntax;
    const error = readOne(request, i, filter);
    if (error !== null) return error;
  }
  return filter;
}

function readOne(request: SessionContext["request"], i: number, filter: KillFilter): string | null {
  const value = i + 1;
  if (request.is(i, "ID")) {
    const id = request.int64(value);
    if (id === null || id < 1n) return Errors.killId;
    filter.id = Number(id);
  } else if (request.is(i, "MAXAGE")) {
    const age = request.int64(value);
    if (age === null) return Errors.killMaxAge;
    if (age < 1n) return Errors.killMaxAgeNotPositive;
    filter.maxAgeSeconds = Number(age);
  } else if (request.is(i, "TYPE")) {
    filter.type = readClientType(request, value);
    if (filter.type === null) return unknownClientType(request.latin1(value));
  } else if (request.is(i, "ADDR")) {
    filter.address = request.latin1(value);
  } else if (request.is(i, "LADDR")) {
    filter.localAddress = request.latin1(value);
  } else if (request.is(i, "USER")) {
    if (request.latin1(value) !== DEFAULT_USER) return noSuchUser(request.latin1(value));
  } else if (request.is(i, "SKIPME")) {
    if (!request.is(value, "YES") && !request.is(value, "NO")) return Errors.syntax;
    filter.skipsAsker = request.is(value, "YES");
  } else {
    return Errors.syntax;
  }
  return null;
}

function killAll({ session, services }: SessionContext, filter: KillFilter): number {
  let killed = 0;
  for (const other of Array.from(services.sessions())) {
    const isAsking = other.id === session.id;
    if (isAsking && filter.skipsAsker) continue;
    if (!fits(other, filter, services.wallMs)) continue;
    services.killSession(other, isAsking);
    killed++;
  }
  return killed;
}

function fits(session: Session, filter: KillFilter, wallMs: number): boolean {
  if (filter.id !== null && session.id !== filter.id) return false;
  if (filter.address !== null && session.address !== filter.address) return false;
  if (filter.localAddress !== null && session.localAddress !== filter.localAddress) return false;
  if (filter.type !== null && clientTypeOf(session) !== filter.type) return false;
  return filter.maxAgeSeconds === null || (wallMs - session.createdAtMs) / 1000 >= filter.maxAgeSeconds;
}
