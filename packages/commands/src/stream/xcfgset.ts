/**
 * XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count] [ACK 0|1|ALL|DEFAULT]: at least one. Another window of idempotence than before forgets
 * every iid; the stream's acknowledgement level (ours) is what its writes wait for where neither command nor connection says.
 */
import { DEFAULT_DURATION_SECONDS, DEFAULT_IIDS_MAX, DURATION_SECONDS_MAX, IIDS_MAX } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readAck } from "../ack.ts";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { Ack, ShardContext } from "../command.ts";
import { Errors, givenTwice } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { effectBytes } from "./effect-room.ts";

const DURATION = "IDMP-DURATION";
const MAXSIZE = "IDMP-MAXSIZE";
/** No value that one of them may have. */
const NOT_GIVEN = 0;

interface StreamSettings {
  readonly durationSeconds: number;
  readonly maxSize: number;
  /** undefined: not given. */
  readonly ack: Ack | null | undefined;
}

export const xcfgset = defineCommand({
  name: "xcfgset",
  arity: -2,
  flags: Flag.write | Flag.fast,
  since: "8.6.0",
  group: "stream",
  summary: "Sets the idempotent message processing configuration of a stream",
  complexity: "O(1)",
  syntax: "key [IDMP-DURATION seconds] [IDMP-MAXSIZE count] [ACK 0 | 1 | ALL | DEFAULT]",
  categories: ["stream"],
  keys: keyAt(1, "RW update"),
  execute,
});

function execute({ request, reply, keyspace, effects, effectRoomBytes }: ShardContext): void {
  const given = readSettings(request);
  if (typeof given === "string") return reply.error(given);
  const found = keyspace.find(request.latin1(1));
  if (found === null) return reply.error(Errors.noSuchKey);
  const { key, stream } = found;
  if (effectBytes(2, key) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
  const seconds = stream.idempotence?.durationSeconds ?? DEFAULT_DURATION_SECONDS;
  const iids = stream.idempotence?.maxSize ?? DEFAULT_IIDS_MAX;
  const durationSeconds = given.durationSeconds === NOT_GIVEN ? seconds : given.durationSeconds;
  const maxSize = given.maxSize === NOT_GIVEN ? iids : given.maxSize;
  if (durationSeconds !== seconds || maxSize !== iids) effects.configureIdempotence(key, durationSeconds, maxSize);
  if (given.ack !== undefined && given.ack !== stream.ack) effects.setStreamAck(key, given.ack);
  reply.ok();
}

/** Or the error text. */
function readSettings(request: Request): StreamSettings | string {
  let durationSeconds = NOT_GIVEN;
  let maxSize = NOT_GIVEN;
  let ack: Ack | null | undefined;
  for (let i = 2; i < request.count; i += 2) {
    const hasValue = i + 1 < request.count;
    if (hasValue && request.is(i, DURATION)) {
      if (durationSeconds !== NOT_GIVEN) return givenTwice(DURATION);
      durationSeconds = readLong(request, i + 1);
      if (Number.isNaN(durationSeconds)) return Errors.notInteger;
      if (durationSeconds < 1 || durationSeconds > DURATION_SECONDS_MAX) return Errors.idempotenceDuration;
    } else if (hasValue && request.is(i, MAXSIZE)) {
      if (maxSize !== NOT_GIVEN) return givenTwice(MAXSIZE);
      maxSize = readLong(request, i + 1);
      if (Number.isNaN(maxSize)) return Errors.notInteger;
      if (maxSize < 1 || maxSize > IIDS_MAX) return Errors.idempotenceMaxSize;
    } else if (hasValue && request.is(i, "ACK")) {
      ack = request.is(i + 1, "DEFAULT") ? null : readAck(request, i + 1);
      if (ack === null && !request.is(i + 1, "DEFAULT")) return Errors.streamAck;
    } else {
      return Errors.syntax;
    }
  }
  if (durationSeconds === NOT_GIVEN && maxSize === NOT_GIVEN && ack === undefined) return Errors.noParameter;
  return { durationSeconds, maxSize, ack };
}
