/**
 * DUMP key: everything of the key as one piece of bytes (dump/payload.ts) for RESTORE: a stream in a form of our own, other values in Redis'. What RESTORE could not put into one
 * log entry is refused here already.
 */
import { Flag } from "../command.ts";
import { dumpOfStream, dumpOfValue } from "../dump/payload.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";

export const dump = defineCommand({
  name: "dump",
  arity: 2,
  flags: Flag.readonly,
  since: "2.6.0",
  group: "generic",
  summary: "Return a serialized version of the value stored at the specified key.",
  complexity:
    "O(1) to access the key and additional O(N*M) to serialize it, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1).",
  syntax: "key",
  categories: ["keyspace"],
  tips: ["nondeterministic_output"],
  keys: keyAt(1, "RO access"),
  execute({ request, reply, keyspace, effectRoomBytes }) {
    const found = keyspace.find(request.latin1(1));
    if (found === null) return reply.nullBulk();
    const payload =
      found.stream === null ? dumpOfValue(found.value, effectRoomBytes) : dumpOfStream(found.stream, effectRoomBytes);
    if (payload === null) return reply.error(Errors.tooLargeForEntry);
    reply.bulk(payload, 0, payload.length);
  },
});
