/** XTRIM key MAXLEN|MINID [=|~] threshold [LIMIT n] [KEEPREF|DELREF|ACKED] */
import { Flag } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";
import { effectBytes } from "./effect-room.ts";
import { AddOrTrimOptions } from "./add-or-trim-options.ts";
import { findStream } from "./find-stream.ts";

const options = new AddOrTrimOptions();

export const xtrim = defineCommand({
  name: "xtrim",
  arity: -4,
  flags: Flag.write,
  since: "5.0.0",
  group: "stream",
  summary: "Trims the stream to (approximately if '~' is passed) a certain size",
  complexity:
    "O(N), with N being the number of evicted entries. Constant times are very small however, since entries are organized in macro nodes containing multiple entries that can be released with a single deallocation.",
  syntax: "key MAXLEN | MINID [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]",
  categories: ["stream"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RW delete"),
  execute({ request, reply, keyspace, effects, nodeBounds, effectRoomBytes }) {
    const error = options.readTrim(request);
    if (error !== null) return reply.error(error);
    const found = findStream(keyspace, request.latin1(1));
    if (typeof found === "string") return reply.error(found);
    if (found === null) return reply.integer(0);
    reply.integer(options.trim(found, effects, nodeBounds, effectRoomBytes - effectBytes(2, found.key)));
  },
});
