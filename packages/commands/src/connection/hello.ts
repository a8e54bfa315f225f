/**
 * HELLO [protover [AUTH username password] [SETNAME clientname]]: the handshake of every modern client. All options are checked before any
 * takes effect.
 */
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { readLong } from "../args.ts";
import { Errors, helloSyntax } from "../errors.ts";
import { defineCommand } from "../record.ts";
import { REDIS_VERSION } from "../server/redis-version.ts";
import { isDefaultUser } from "./auth.ts";
import { isClientName } from "./client-name.ts";

export const hello = defineCommand({
  name: "hello",
  arity: -1,
  flags: Flag.noscript | Flag.loading | Flag.stale | Flag.fast | Flag.noAuth | Flag.allowBusy,
  since: "6.0.0",
  group: "connection",
  summary: "Handshake with Redis",
  complexity: "O(1)",
  syntax: "[protover [AUTH username password] [SETNAME clientname]]",
  categories: ["connection"],
  answer(context) {
    const error = takeOptions(context);
    if (error !== null) return context.reply.error(error);
    writeGreeting(context);
  },
});

function takeOptions(context: SessionContext): string | null {
  const { request, session, reply } = context;
  if (request.count === 1) return null;
  const version = readLong(request, 1);
  if (Number.isNaN(version)) return Errors.protocolNotInteger;
  if (version !== 2 && version !== 3) return Errors.noProto;
  let name: string | null = null;
  for (let i = 2; i < request.count; i++) {
    const more = request.count - 1 - i;
    if (request.is(i, "AUTH") && more >= 2) {
      if (!isDefaultUser(request, i + 1)) return Errors.wrongPass;
      i += 2;
    } else if (request.is(i, "SETNAME") && more >= 1) {
      name = request.latin1(i + 1);
      if (!isClientName(name)) return Errors.clientName;
      i++;
    } else {
      return helloSyntax(request.latin1(i));
    }
  }
  session.respVersion = version;
  reply.version = version;
  if (name !== null) session.name = name;
  return null;
}

function writeGreeting({ reply, session, services }: SessionContext): void {
  reply.map(7);
  reply.bulkLatin1("server");
  reply.bulkLatin1("redis");
  reply.bulkLatin1("version");
  reply.bulkLatin1(REDIS_VERSION);
  reply.bulkLatin1("proto");
  reply.integer(session.respVersion);
  reply.bulkLatin1("id");
  reply.integer(session.id);
  reply.bulkLatin1("mode");
  reply.bulkLatin1(services.mode);
  reply.bulkLatin1("role");
  reply.bulkLatin1("master");
  reply.bulkLatin1("modules");
  reply.array(0);
}
