/**
 * RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ n]: what DUMP gave out, here or by a Redis (streams and strings). Source: cluster.c
 * restoreCommand, whose order of checks this is.
 */
import { NEVER, secondsOf } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import { readDump } from "../dump/payload.ts";
import { Errors } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { effectBytes } from "../stream/effect-room.ts";

const UNSAID = -1;

interface RestoreOptions {
  replace: boolean;
  isAbsolute: boolean;
  idleSeconds: number;
  frequency: number;
}

function readOptions(request: Request): RestoreOptions | string {
  const options: RestoreOptions = { replace: false, isAbsolute: false, idleSeconds: UNSAID, frequency: UNSAID };
  for (let i = 4; i < request.count; i++) {
    const hasValue = i + 1 < request.count;
    if (request.is(i, "REPLACE")) {
      options.replace = true;
    } else if (request.is(i, "ABSTTL")) {
      options.isAbsolute = true;
    } else if (request.is(i, "IDLETIME") && hasValue && options.frequency === UNSAID) {
      options.idleSeconds = readLong(request, ++i);
      if (Number.isNaN(options.idleSeconds)) return Errors.notInteger;
      if (options.idleSeconds < 0) return Errors.restoreIdleTime;
    } else if (request.is(i, "FREQ") && hasValue && options.idleSeconds === UNSAID) {
      options.frequency = readLong(request, ++i);
      if (Number.isNaN(options.frequency)) return Errors.notInteger;
      if (options.frequency < 0 || options.frequency > 255) return Errors.restoreFrequency;
    } else {
      return Errors.syntax;
    }
  }
  return options;
}

export const restore = defineCommand({
  name: "restore",
  arity: -4,
  flags: Flag.write | Flag.denyoom,
  since: "2.6.0",
  group: "generic",
  summary: "Create a key using the provided serialized value, previously obtained using DUMP.",
  complexity:
    "O(1) to create the new key and additional O(N*M) to reconstruct the serialized value, where N is the number of Redis objects composing the value and M their average size. For small string values the time complexity is thus O(1)+O(1*M) where M is small, so simply O(1). However for sorted set values the complexity is O(N*M*log(N)) because inserting values into sorted sets is O(log(N)).",
  syntax: "key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]",
  categories: ["keyspace", "dangerous"],
  keys: keyAt(1, "OW update"),
  execute({ request, reply, keyspace, effects, nowMs, effectRoomBytes }) {
    const options = readOptions(request);
    if (typeof options === "string") return reply.error(options);
    const key = request.latin1(1);
    const isTaken = keyspace.find(key) !== null;
    if (isTaken && !options.replace) return reply.error(Errors.busyKey);
    const ttlMs = readLong(request, 2);
    if (Number.isNaN(ttlMs)) return reply.error(Errors.notInteger);
    if (ttlMs < 0) return reply.error(Errors.restoreTtl);
    const room = effectRoomBytes - effectBytes(1, key);
    const read = readDump(request.bytes, request.start(3), request.end(3), room);
    if (typeof read === "string") return reply.error(read);
    const atMs = Math.min(options.isAbsolute ? ttlMs : nowMs + ttlMs, Number.MAX_SAFE_INTEGER);
    if (ttlMs !== 0 && atMs <= nowMs) {
      if (isTaken) effects.deleteKey(key);
      return reply.ok();
    }
    const expiresAtMs = ttlMs === 0 ? NEVER : atMs;
    if (read.isStream) effects.putStream(key, read.image, expiresAtMs, "restore");
    else effects.values.put(key, read.image, expiresAtMs, "restore");
    if (options.idleSeconds !== UNSAID) {
      keyspace.peek(key)!.usedAtSeconds = secondsOf(nowMs) - Math.min(options.idleSeconds, 2 ** 29);
    }
    reply.ok();
  },
});
