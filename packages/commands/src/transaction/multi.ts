/** MULTI and DISCARD: what follows is queued, or thrown away. */
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand } from "../record.ts";

const FLAGS = Flag.noscript | Flag.loading | Flag.stale | Flag.fast | Flag.allowBusy;

export const multi = defineCommand({
  name: "multi",
  arity: 1,
  flags: FLAGS,
  since: "1.2.0",
  group: "transactions",
  summary: "Mark the start of a transaction block",
  complexity: "O(1)",
  categories: ["transaction"],
  answer({ reply, session }) {
    if (session.transaction.isOpen) return reply.error(Errors.nestedMulti);
    session.transaction.begin();
    reply.ok();
  },
});

export const discard = defineCommand({
  name: "discard",
  arity: 1,
  flags: FLAGS,
  since: "2.0.0",
  group: "transactions",
  summary: "Discard all commands issued after MULTI",
  complexity: "O(N), when N is the number of queued commands",
  categories: ["transaction"],
  answer({ reply, session }) {
    if (!session.transaction.isOpen) return reply.error(Errors.discardWithoutMulti);
    session.transaction.close();
    reply.ok();
  },
});
