/** OBJECT ENCODING | FREQ | IDLETIME | REFCOUNT key | HELP. Looking is no use of the key. Source: object.c objectCommand. */
import { secondsOf } from "@headrace/engine";
import type { KeyView } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand, keyAt } from "../record.ts";

function sub(
  word: string,
  spec: Pick<CommandRecord, "since" | "summary">,
  answer: (context: ShardContext, found: KeyView) => void,
): CommandRecord {
  return defineCommand({
    ...spec,
    name: `object|${word}`,
    arity: 3,
    flags: Flag.readonly,
    group: "generic",
    complexity: "O(1)",
    syntax: "key",
    categories: ["keyspace"],
    tips: ["nondeterministic_output"],
    keys: keyAt(2, "RO"),
    execute(context) {
      const found = context.keyspace.peek(context.request.latin1(2));
      if (found === null) context.reply.nullBulk();
      else answer(context, found);
    },
  });
}

const encoding = sub(
  "encoding",
  { since: "2.2.3", summary: "Inspect the internal encoding of a Redis object" },
  ({ reply }, { value }) => reply.bulkLatin1(value === null ? "stream" : value.encoding),
);

const freq = sub(
  "freq",
  { since: "4.0.0", summary: "Get the logarithmic access frequency counter of a Redis object" },
  ({ reply }) => reply.error(Errors.noFrequencies),
);

const idletime = sub(
  "idletime",
  { since: "2.2.3", summary: "Get the time since a Redis object was last accessed" },
  ({ reply, nowMs }, found) => reply.integer(Math.max(0, secondsOf(nowMs) - found.usedAtSeconds)),
);

const refcount = sub(
  "refcount",
  { since: "2.2.3", summary: "Get the number of references to the value of the key" },
  ({ reply }) => reply.integer(1),
);

const help = helpCommand(
  "object",
  "generic",
  ["keyspace"],
  [
    "ENCODING <key>",
    "    Return the kind of internal representation used in order to store the value",
    "    associated with a <key>.",
    "FREQ <key>",
    "    Return the access frequency index of the <key>. The returned integer is",
    "    proportional to the logarithm of the recent access frequency of the key.",
    "IDLETIME <key>",
    "    Return the idle time of the <key>, that is the approximated number of",
    "    seconds elapsed since the last access to the key.",
    "REFCOUNT <key>",
    "    Return the number of references of the value associated with the specified",
    "    <key>.",
  ],
);

export const object = defineCommand({
  name: "object",
  arity: -2,
  since: "2.2.3",
  group: "generic",
  summary: "A container for object introspection commands",
  complexity: "Depends on subcommand.",
  subcommands: [encoding, freq, help, idletime, refcount],
});
