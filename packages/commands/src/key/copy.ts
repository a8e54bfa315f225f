/**
 * COPY source destination [DB 0] [REPLACE]. The copy travels in the log whole: what a follower holds of the source may be on its disk only. Hence
 * the bound: what does not fit into one log entry is refused. Source: db.c copyCommand.
 */
import { slotOfKey } from "@headrace/bytes";
import { imageOf } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyPair } from "../record.ts";
import { effectBytes } from "../stream/effect-room.ts";
import { readDatabase } from "./database-index.ts";

/** Whether REPLACE is said, or the error text. */
function readReplace(request: Request): boolean | string {
  let replace = false;
  for (let i = 3; i < request.count; i++) {
    if (request.is(i, "REPLACE")) {
      replace = true;
    } else if (request.is(i, "DB") && i + 1 < request.count) {
      const database = readDatabase(request, ++i, null);
      if (typeof database === "string") return database;
    } else {
      return Errors.syntax;
    }
  }
  return replace;
}

export const copy = defineCommand({
  name: "copy",
  arity: -3,
  flags: Flag.write | Flag.denyoom,
  since: "6.2.0",
  group: "generic",
  summary: "Copy a key",
  complexity: "O(N) worst case for collections, where N is the number of nested items. O(1) for string values.",
  syntax: "source destination [DB destination-db] [REPLACE]",
  categories: ["keyspace"],
  keys: keyPair("RO access", "OW update"),
  execute({ request, reply, keyspace, effects, effectRoomBytes }) {
    const replace = readReplace(request);
    if (typeof replace === "string") return reply.error(replace);
    const from = request.latin1(1);
    const to = request.latin1(2);
    if (from === to) return reply.error(Errors.sameObject);
    if (slotOfKey(from) !== slotOfKey(to)) return reply.error(Errors.crossSlot);
    const source = keyspace.find(from);
    if (source === null) return reply.integer(0);
    if (keyspace.find(to) !== null && !replace) return reply.integer(0);
    const { stream, value, expiresAtMs } = source;
    const roomBytes = effectRoomBytes - effectBytes(1, to);
    const image = stream === null ? imageOf(value, roomBytes) : stream.image(roomBytes);
    if (image === null) return reply.error(Errors.tooLargeForEntry);
    if (stream === null) effects.values.put(to, image, expiresAtMs, "copy_to");
    else effects.putStream(to, image, expiresAtMs, "copy_to");
    reply.integer(1);
  },
});
