/** CLIENT LIST [TYPE type] [ID id …]: all connections of this process. */
import { Flag } from "../command.ts";
import type { Session, SessionContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";
import { clientLine } from "./client-line.ts";

const TYPES: readonly string[] = ["NORMAL", "MASTER", "REPLICA", "SLAVE", "PUBSUB"];

export const list = defineCommand({
  name: "client|list",
  arity: -2,
  flags: Flag.admin | Flag.noscript | Flag.loading | Flag.stale,
  since: "2.4.0",
  group: "connection",
  summary: "Get the list of client connections",
  complexity: "O(N) where N is the number of client connections",
  syntax: "[TYPE NORMAL | MASTER | REPLICA | PUBSUB] [ID client-id [client-id ...]]",
  categories: ["connection"],
  tips: ["nondeterministic_output"],
  answer(context) {
    const wanted = readFilter(context);
    if (wanted === null) return;
    let text = "";
    for (const session of context.services.sessions()) {
      if (wanted(session)) text += `${clientLine(session, context.services.monotonicMs)}\n`;
    }
    context.reply.verbatim(text);
  },
});

/** Which sessions are asked for; null when the error is written. */
function readFilter({ request, reply }: SessionContext): ((session: Session) => boolean) | null {
  if (request.count === 2) return () => true;
  if (request.count === 4 && request.is(2, "TYPE")) {
    const type = TYPES.find((word) => request.is(3, word));
    if (type !== undefined) return () => type === "NORMAL";
    reply.error(`ERR Unknown client type '${request.latin1(3)}'`);
    return null;
  }
  if (request.count > 3 && request.is(2, "ID")) {
    const ids = new Set<number>();
    for (let i = 3; i < request.count; i++) {
      const id = request.integer(i);
      if (Number.isNaN(id)) {
        reply.error(Errors.invalidClientId);
        return null;
      }
      ids.add(id);
    }
    return (session) => ids.has(session.id);
  }
  reply.error(Errors.syntax);
  return null;
}
