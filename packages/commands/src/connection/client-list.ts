/** CLIENT LIST [TYPE type | ID id …]: connections of this process. */
import { Flag } from "../command.ts";
import type { Session, SessionContext } from "../command.ts";
import { Errors, unknownClientType } from "../errors.ts";
import { defineCommand } from "../record.ts";
import { clientLine } from "./client-line.ts";
import { clientTypeOf, readClientType } from "./client-type.ts";

export const list = defineCommand({
  name: "client|list",
  arity: -2,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "2.4.0",
  group: "connection",
  summary: "Get the list of client connections",
  complexity: "O(N) where N is the number of client connections",
  syntax: "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]",
  categories: ["connection"],
  tips: ["nondeterministic_output"],
  answer(context) {
    const sessions = wantedSessions(context);
    if (typeof sessions === "string") return context.reply.error(sessions);
    let text = "";
    for (const session of sessions) text += `${clientLine(session, context.services.wallMs)}\n`;
    context.reply.verbatim(text);
  },
});

/** Those that are asked for, ids in the order in which they are named; or the error text. */
function wantedSessions({ request, services }: SessionContext): Iterable<Session> | string {
  if (request.count === 2) return services.sessions();
  if (request.count === 4 && request.is(2, "TYPE")) {
    const type = readClientType(request, 3);
    if (type === null) return unknownClientType(request.latin1(3));
    return [...services.sessions()].filter((session) => clientTypeOf(session) === type);
  }
  if (request.count === 3 || !request.is(2, "ID")) return Errors.syntax;
  const known = new Map([...services.sessions()].map((session) => [session.id, session]));
  const wanted: Session[] = [];
  for (let i = 3; i < request.count; i++) {
    const id = request.int64(i);
    if (id === null) return Errors.invalidClientId;
    const session = known.get(Number(id));
    if (session !== undefined) wanted.push(session);
  }
  return wanted;
}
