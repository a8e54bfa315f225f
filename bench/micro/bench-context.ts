/** What a command handler sees of its shard, with nothing behind it: for benchmarks of commands that neither block nor wait. */
import type { Ack, ShardContext } from "@headrace/commands";
import { ReadMode } from "@headrace/commands";
import type { Effects, ShardState } from "@headrace/engine";
import type { ReplyWriter, RequestDecoder } from "@headrace/resp";
import { FakeChannels } from "../../packages/commands/testing/fake-channels.ts";

/** Of the decoder, as a gateway has them. */
export const LIMITS = {
  maxBulkBytes: 16 * 1024 * 1024,
  maxArguments: 1024 * 1024,
  maxInlineBytes: 64 * 1024,
  maxRequestBytes: 64 * 1024 * 1024,
};
/** Of a node of a stream, as Redis has them. */
export const BOUNDS = { maxEntries: 100, maxBytes: 4096 };

export class BenchContext implements ShardContext {
  readonly counters = {
    changes: 0,
    blockingKeys: 0,
    blockingKeysOnNoKey: 0,
    keyspaceHits: 0,
    keyspaceMisses: 0,
    blockBytes: 0,
    fixedBytes: 0,
  };
  isUncounted: boolean = false;
  handsOut: boolean = false;
  request;
  reply;
  keyspace;
  effects: Effects;
  nowMs = 0;
  nodeBounds = BOUNDS;
  idempotenceWindow = { durationSeconds: 100, maxSize: 100 };
  delayedMaxEntries: number = 100_000;
  outboxMaxBytes: number = 8 * 1024 * 1024;
  readonly effectRoomBytes = Number.POSITIVE_INFINITY;
  ack: Ack | null = null;
  resumed = null;
  readonly readyKey = null;
  denyBlocking = false;
  readonly readMode = ReadMode.whole;
  readonly used = { entries: 0, bytes: 0 };
  readonly looksOnly = false;
  readonly channels = new FakeChannels(() => []);
  readonly randomBelow = (): number => 0;

  constructor(decoder: RequestDecoder, reply: ReplyWriter, state: ShardState, effects: Effects) {
    this.request = decoder.request;
    this.reply = reply;
    this.keyspace = state.live;
    this.effects = effects;
  }

  block(): void {
    throw new Error("this benchmark has no command that blocks");
  }

  noteLimits(): void {}

  noteRefusedForLag(): void {
    throw new Error("no stream of a bench has a limit");
  }

  offer(): void {
    throw new Error("this benchmark has no command that waits");
  }

  isHeldUp(): boolean {
    return false;
  }
}
