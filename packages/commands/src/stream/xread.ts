/** XREAD [COUNT n] [MAXCOUNT n] [MAXSIZE bytes] [BLOCK ms] STREAMS key … id …: entries behind the ids given; `$` is the last id as of now, `+` the last entry. */
import { MAX_ID, MIN_ID } from "@headrace/engine";
import type { StreamId, StreamView } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { isByte, readStrictId } from "../args.ts";
import { Flag } from "../command.ts";
import type { ShardContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { findStreamsKeys } from "../keys.ts";
import { defineCommand } from "../record.ts";
import { findStream } from "./find-stream.ts";
import { ReadBudget } from "./read-budget.ts";
import { ReadOptions } from "./read-options.ts";
import { isStreamError, refuseStream, StreamsReply } from "./streams-reply.ts";
import type { StreamError } from "./streams-reply.ts";

const DOLLAR = 36;
const PLUS = 43;
const GREATER = 62;
const OPTION_VALUES: ReadonlyMap<string, number> = new Map([
  ["BLOCK", 1],
  ["COUNT", 1],
  ["MAXCOUNT", 1],
  ["MAXSIZE", 1],
]);

const options = new ReadOptions();
const answer = new StreamsReply();
const budget = new ReadBudget();

export const xread = defineCommand({
  name: "xread",
  arity: -4,
  flags: Flag.readonly | Flag.blocking | Flag.movablekeys,
  since: "5.0.0",
  group: "stream",
  summary:
    "Return never seen elements in multiple streams, with IDs greater than the ones reported by the caller for each stream. Can block.",
  complexity:
    "For each stream mentioned: O(N) with N being the number of elements being returned, it means that XREAD-ing with a fixed COUNT is O(1). Note that when the BLOCK option is used, XADD will pay O(M) time in order to serve the M clients blocked on the stream getting new data.",
  syntax: "[COUNT count] [MAXCOUNT count] [MAXSIZE bytes] [BLOCK milliseconds] STREAMS key [key ...] id [id ...]",
  categories: ["stream"],
  fanOut: { by: "streams" },
  keys: {
    first: 0,
    last: -1,
    step: 1,
    access: ["RO", "access"],
    targetAccess: [],
    notes: "",
    keyword: { word: "STREAMS", startFrom: 1 },
    countAt: 0,
    find: (request, into) => findStreamsKeys(request, OPTION_VALUES, into),
  },
  execute,
  timeOut: (reply) => reply.nullArray(),
});

function execute(context: ShardContext): void {
  const { request, reply, keyspace } = context;
  const error = options.read(request, false);
  if (error !== null) return reply.error(error);
  const ids = context.resumed === null ? resolveIds(context) : context.resumed.resolvedIds;
  if (isStreamError(ids)) return refuseStream(context, ids);
  answer.begin(context, options);
  budget.begin(options.maxCount, options.maxSize, 0, 0);
  for (let k = 0; k < options.streamCount; k++) {
    const found = keyspace.find(request.latin1(options.firstKey + k));
    // A call that was woken finds something else here now: it waits for a stream again.
    if (found === null || found.stream === null || found.stream.length === 0) continue;
    const start = ids[k]!.next();
    if (start === null) continue;
    let range = found.stream.range(start, MAX_ID, options.count, false);
    if (range.count === 0) continue;
    if (options.isBounded) {
      if (budget.isSpent) break;
      budget.addKey(keyBytes(request, options.firstKey + k), reply.version);
      const count = budget.admitRange(range);
      if (count === 0) break;
      if (count < range.count) range = found.stream.range(start, MAX_ID, count, false);
    }
    answer.open(request, options.firstKey + k);
    reply.array(range.count);
    range.writeTo(reply.writer);
  }
  if (answer.finish()) return;
  if (!options.blocks || context.denyBlocking) return reply.nullArray();
  context.block({
    keys: keyNames(request),
    timeoutMs: options.blockMs,
    kind: "read",
    resolvedIds: ids,
    readsFromState: namesPosition(request),
    claimMinIdleMs: -1,
    takesDue: false,
    wakeAtMs: Number.POSITIVE_INFINITY,
  });
}

function keyBytes(request: Request, i: number): number {
  return request.end(i) - request.start(i);
}

function keyNames(request: Request): string[] {
  const names: string[] = [];
  for (let k = 0; k < options.streamCount; k++) names.push(request.latin1(options.firstKey + k));
  return names;
}

/** Whether an id is `$` or `+`. */
function namesPosition(request: Request): boolean {
  for (let i = options.firstKey + options.streamCount; i < request.count; i++) {
    if (isByte(request, i, DOLLAR) || isByte(request, i, PLUS)) return true;
  }
  return false;
}

/** Where each stream is read from; or the error. */
function resolveIds({ request, keyspace }: ShardContext): StreamId[] | StreamError {
  const ids: StreamId[] = [];
  for (let k = 0; k < options.streamCount; k++) {
    const i = options.firstKey + options.streamCount + k;
    const found = findStream(keyspace, request.latin1(options.firstKey + k));
    if (typeof found === "string") return { stream: k, text: found };
    if (isByte(request, i, GREATER)) return { stream: k, text: Errors.newIdWithoutGroup };
    const wantsLast = isByte(request, i, PLUS);
    if (wantsLast || isByte(request, i, DOLLAR)) {
      if (found === null) ids.push(MIN_ID);
      else ids.push(wantsLast ? beforeLastEntry(found.stream) : found.stream.lastId);
      continue;
    }
    const id = readStrictId(request, i);
    if (id === null) return { stream: k, text: Errors.invalidStreamId };
    ids.push(id);
  }
  return ids;
}

function beforeLastEntry(stream: StreamView): StreamId {
  if (stream.length === 0) return stream.lastId;
  return stream.range(MIN_ID, MAX_ID, 1, true).firstId.previous() ?? MIN_ID;
}
