/**
 * XCFGSET key [IDMP-DURATION seconds] [IDMP-MAXSIZE count] [ACK 0|1|ALL|DEFAULT] [RETENTION-…] [MAXLAG-BYTES n [POLICY …]|OFF]: at least one. Another window of idempotence than before
 * forgets every iid; the stream's acknowledgement level (ours) is what its writes wait for where neither command nor connection says. Retention
 * (ours): 0 is no bound, whatever the cluster has; DEFAULT the cluster's. MAXLAG-BYTES (ours) bounds what its slowest group has before it, and says
 * whether an XADD at that bound waits.
 */
import { DEFAULT_DURATION_SECONDS, DEFAULT_IIDS_MAX, DURATION_SECONDS_MAX, IIDS_MAX } from "@headrace/engine";
import { isEqualMaxLagBytes, isEqualRetention, ownRetention, RetentionKeep } from "@headrace/engine";
import type { MaxLagBytes, OwnRetention } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { readAck } from "../ack.ts";
import { readLong } from "../args.ts";
import { Flag } from "../command.ts";
import type { Ack, ShardContext } from "../command.ts";
import { Errors, givenTwice } from "../errors.ts";
import { defineCommand, keyAt } from "../record.ts";
import { effectBytes } from "./effect-room.ts";
import { findStream } from "./find-stream.ts";
import { readPolicy } from "./group-options.ts";

/** What the request names; what is undefined stays as it is. */
interface StreamSettings {
  durationSeconds?: number;
  maxSize?: number;
  /** null: the cluster's, as in all below. */
  ack?: Ack | null;
  ageMs?: number | null;
  bytes?: number | null;
  entries?: number | null;
  keep?: RetentionKeep | null;
  /** null: none. */
  maxLagBytes?: MaxLagBytes | null;
}

type Setting = keyof StreamSettings;

/** Reads the value from argument i on into what was given, answers the argument behind it; or the error text. */
type ReadValue = (given: StreamSettings, request: Request, i: number) => string | number;

const OPTIONS: readonly (readonly [word: string, setting: Setting, read: ReadValue])[] = [
  ["IDMP-DURATION", "durationSeconds", readWindow("durationSeconds", DURATION_SECONDS_MAX, Errors.idempotenceDuration)],
  ["IDMP-MAXSIZE", "maxSize", readWindow("maxSize", IIDS_MAX, Errors.idempotenceMaxSize)],
  ["ACK", "ack", readStreamAck],
  ["RETENTION-MS", "ageMs", readBound("ageMs")],
  ["RETENTION-BYTES", "bytes", readBound("bytes")],
  ["RETENTION-ENTRIES", "entries", readBound("entries")],
  ["RETENTION-KEEP", "keep", readKeep],
  ["MAXLAG-BYTES", "maxLagBytes", readMaxLagBytes],
];

export const xcfgset = defineCommand({
  name: "xcfgset",
  arity: -2,
  flags: Flag.write | Flag.fast,
  since: "8.6.0",
  group: "stream",
  summary: "Sets the idempotent message processing configuration of a stream",
  complexity: "O(1)",
  syntax:
    "key [IDMP-DURATION seconds] [IDMP-MAXSIZE count] [ACK 0 | 1 | ALL | DEFAULT] [RETENTION-MS milliseconds | DEFAULT] " +
    "[RETENTION-BYTES bytes | DEFAULT] [RETENTION-ENTRIES count | DEFAULT] [RETENTION-KEEP NONE | UNACKED | DEFAULT] " +
    "[MAXLAG-BYTES <bytes [POLICY <REJECT | DELAY [MAX milliseconds]>] | OFF>]",
  categories: ["stream"],
  keys: keyAt(1, "RW update"),
  execute,
});

function execute({ request, reply, keyspace, effects, effectRoomBytes }: ShardContext): void {
  const given = readSettings(request);
  if (typeof given === "string") return reply.error(given);
  const found = findStream(keyspace, request.latin1(1));
  if (typeof found === "string") return reply.error(found);
  if (found === null) return reply.error(Errors.noSuchKey);
  const { key, stream } = found;
  if (effectBytes(4, key) > effectRoomBytes) return reply.error(Errors.tooLargeForEntry);
  const seconds = stream.idempotence?.durationSeconds ?? DEFAULT_DURATION_SECONDS;
  const iids = stream.idempotence?.maxSize ?? DEFAULT_IIDS_MAX;
  const { durationSeconds = seconds, maxSize = iids, ack = stream.ack, maxLagBytes = stream.maxLagBytes } = given;
  if (durationSeconds !== seconds || maxSize !== iids) effects.configureIdempotence(key, durationSeconds, maxSize);
  if (ack !== stream.ack) effects.setStreamAck(key, ack);
  const retention = retentionWith(stream.retention, given);
  if (!isEqualRetention(retention, stream.retention)) effects.setStreamRetention(key, retention);
  if (!isEqualMaxLagBytes(maxLagBytes, stream.maxLagBytes)) effects.limits.setMaxLagBytes(key, maxLagBytes);
  reply.ok();
}

function retentionWith(own: OwnRetention | null, given: StreamSettings): OwnRetention | null {
  const { ageMs = own?.ageMs ?? null, bytes = own?.bytes ?? null } = given;
  const { entries = own?.entries ?? null, keep = own?.keep ?? null } = given;
  return ownRetention(ageMs, bytes, entries, keep);
}

/** Or the error text. */
function readSettings(request: Request): StreamSettings | string {
  const given: StreamSettings = {};
  for (let i = 2; i < request.count;) {
    const option = i + 1 < request.count ? OPTIONS.find(([word]) => request.is(i, word)) : undefined;
    if (option === undefined) return Errors.syntax;
    const [word, setting, read] = option;
    if (given[setting] !== undefined) return givenTwice(word);
    const next = read(given, request, i + 1);
    if (typeof next === "string") return next;
    i = next;
  }
  return request.count === 2 ? Errors.noParameter : given;
}

function readWindow(setting: "durationSeconds" | "maxSize", max: number, error: string): ReadValue {
  return (given, request, i) => {
    const value = readLong(request, i);
    if (Number.isNaN(value)) return Errors.notInteger;
    if (value < 1 || value > max) return error;
    given[setting] = value;
    return i + 1;
  };
}

function readStreamAck(given: StreamSettings, request: Request, i: number): string | number {
  const ack = readAck(request, i);
  if (ack === null && !request.is(i, "DEFAULT")) return Errors.streamAck;
  given.ack = ack;
  return i + 1;
}

function readBound(setting: "ageMs" | "bytes" | "entries"): ReadValue {
  return (given, request, i) => {
    const value = request.is(i, "DEFAULT") ? null : readLong(request, i);
    if (value !== null && Number.isNaN(value)) return Errors.notInteger;
    if (value !== null && (value < 0 || value > Number.MAX_SAFE_INTEGER)) return Errors.retentionBound;
    given[setting] = value;
    return i + 1;
  };
}

function readKeep(given: StreamSettings, request: Request, i: number): string | number {
  if (request.is(i, "NONE")) given.keep = RetentionKeep.nothing;
  else if (request.is(i, "UNACKED")) given.keep = RetentionKeep.unacknowledged;
  else if (request.is(i, "DEFAULT")) given.keep = null;
  else return Errors.retentionKeep;
  return i + 1;
}

function readMaxLagBytes(given: StreamSettings, request: Request, i: number): string | number {
  if (request.is(i, "OFF")) {
    given.maxLagBytes = null;
    return i + 1;
  }
  const bytes = readLong(request, i);
  if (Number.isNaN(bytes)) return Errors.notInteger;
  if (bytes < 1 || bytes > Number.MAX_SAFE_INTEGER) return Errors.maxLagBytes;
  const policy = readPolicy(request, i + 1);
  if (typeof policy === "string") return policy;
  given.maxLagBytes = { bytes, holdMs: policy.holdMs };
  return policy.next;
}
