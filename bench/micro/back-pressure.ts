/**
 * What limits of lag cost an XADD (XGROUP SETMAXLAG, XCFGSET MAXLAG-BYTES) on its way through decoder, table, handler and effects: on a stream that has
 * none, beside streams that have, near and far behind, with readers and removals between. No limit is ever reached. Run: `node bench/micro/back-pressure.ts`.
 * Numbers of the last look: bench/results/back-pressure.txt.
 */
import { asciiBytes, ByteWriter, concatBytes } from "@headrace/bytes";
import { executeShardCommand, findCommand } from "@headrace/commands";
import { MIN_ID, ShardState } from "@headrace/engine";
import type { Effects } from "@headrace/engine";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import { BenchContext, LIMITS } from "./bench-context.ts";

const ROUNDS = 5;
const COMMANDS = 20_000;
const COMMANDS_AT_ONCE = 200;
const KEY = "s";
const FAR = 1_000_000;

interface Case {
  readonly what: string;
  readonly groups: number;
  readonly setUp: (effects: Effects, groups: readonly string[]) => void;
  readonly entriesBefore: number;
  /** Between every few XADDs. */
  readonly between?: (state: ShardState, effects: Effects, turn: number) => void;
}

const entryLimits = (effects: Effects, groups: readonly string[]): void => {
  for (const group of groups) effects.limits.setMaxLag(KEY, group, { entries: 1e9, holdMs: 0 });
};
const none = (): void => {};

/** The group is given some of what it is behind. */
function read(state: ShardState, effects: Effects): void {
  const { stream } = state.keyspace.existingStream(KEY);
  const { lastDeliveredId } = stream.group("g0")!;
  const range = stream.range(lastDeliveredId.next()!, stream.lastId, COMMANDS_AT_ONCE, false);
  effects.deliver(KEY, "g0", "c", range.lastId, -1, 1, true);
}

/** One from the middle of what nobody has read. */
function deleteOne(state: ShardState, effects: Effects, turn: number): void {
  const { stream } = state.keyspace.existingStream(KEY);
  const found = stream.range(stream.firstId, stream.lastId, 1 + turn, false);
  effects.deleteEntries(KEY, [found.lastId]);
}

const cases: readonly Case[] = [
  { what: "no group", groups: 0, setUp: none, entriesBefore: 0 },
  { what: "1 group without a limit", groups: 1, setUp: none, entriesBefore: 0 },
  { what: "1 group with one", groups: 1, setUp: entryLimits, entriesBefore: 0 },
  { what: "1 group with one, a million behind", groups: 1, setUp: entryLimits, entriesBefore: FAR },
  { what: "8 groups with one", groups: 8, setUp: entryLimits, entriesBefore: 0 },
  {
    what: "bytes, 1 group",
    groups: 1,
    setUp: (e) => e.limits.setMaxLagBytes(KEY, { bytes: 2 ** 50, holdMs: 0 }),
    entriesBefore: 0,
  },
  {
    what: "bytes, 8 groups, a million behind",
    groups: 8,
    setUp: (e) => e.limits.setMaxLagBytes(KEY, { bytes: 2 ** 50, holdMs: 0 }),
    entriesBefore: FAR,
  },
  {
    what: "no limit, a read for every 200, a million behind",
    groups: 1,
    setUp: none,
    entriesBefore: FAR,
    between: read,
  },
  { what: "1 group with one, the same", groups: 1, setUp: entryLimits, entriesBefore: FAR, between: read },
  {
    what: "no limit, an XDEL for every 200, a million behind",
    groups: 1,
    setUp: none,
    entriesBefore: FAR,
    between: deleteOne,
  },
  { what: "1 group with one, the same", groups: 1, setUp: entryLimits, entriesBefore: FAR, between: deleteOne },
];

const xadd = asciiBytes(`*5\r\n$4\r\nXADD\r\n$1\r\n${KEY}\r\n$1\r\n*\r\n$1\r\nf\r\n$16\r\n${"x".repeat(16)}\r\n`);
const chunk = concatBytes(Array.from({ length: COMMANDS_AT_ONCE }, () => xadd));

function round({ groups, setUp, entriesBefore, between }: Case): number {
  const state = new ShardState();
  const decoder = new RequestDecoder(LIMITS);
  const reply = new ReplyWriter(new ByteWriter(64 * 1024));
  const turn = (work: (effects: Effects) => void): void => {
    work(state.openBatch(state.index + 1, 1_800_000_000_000 + state.index));
    state.sealBatch();
  };
  const add = (effects: Effects): void => {
    const context = new BenchContext(decoder, reply, state, effects);
    context.nowMs = effects.logTimeMs;
    reply.writer.clear();
    decoder.feed(chunk);
    while (decoder.next() === DecodeResult.request) executeShardCommand(findCommand(decoder.request), context);
  };
  turn(add);
  const names = Array.from({ length: groups }, (_, i) => `g${i}`);
  turn((effects) => {
    for (const name of names) effects.createGroup(KEY, name, MIN_ID, 0);
    if (groups > 0) effects.createConsumer(KEY, "g0", "c", 0);
    setUp(effects, names);
  });
  for (let there = 0; there < entriesBefore; there += COMMANDS_AT_ONCE) turn(add);
  for (let i = 0; i < 20; i++) turn(add);
  let elapsed = 0n;
  for (let i = 0; i < COMMANDS / COMMANDS_AT_ONCE; i++) {
    if (between !== undefined) turn((effects) => between(state, effects, i));
    const startedAt = process.hrtime.bigint();
    turn(add);
    elapsed += process.hrtime.bigint() - startedAt;
  }
  return Number(elapsed) / COMMANDS;
}

for (const each of cases) {
  const times = Array.from({ length: ROUNDS }, () => round(each)).sort((a, b) => a - b);
  const shown = times.map((time) => time.toFixed(0)).join(" ");
  console.log(`${each.what.padEnd(56)} ${times[Math.floor(ROUNDS / 2)]!.toFixed(0).padStart(6)} ns/XADD   (${shown})`);
}
