/**
 * What a handler sees of the shard: one object, reused for every command (commands/command.ts). `block` only notes the call; what follows from
 * it is the executor's business.
 */
import { ReadMode } from "@headrace/commands";
import type { Ack, BlockedCall, Channels, IdempotenceWindow, ShardContext } from "@headrace/commands";
import type { Effects, Keyspace, NodeBounds } from "@headrace/engine";
import { NOTHING_USED } from "@headrace/link";
import type { ReadUse } from "@headrace/link";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import type { LeaderCounters } from "./leader-counters.ts";
import type { PressureNews } from "./pressure-news.ts";

/** What does not depend on the command. */
export type FixedContext = Pick<
  ShardContext,
  "nodeBounds" | "idempotenceWindow" | "effectRoomBytes" | "isHeldUp" | "channels" | "randomBelow"
> & { readonly counters: LeaderCounters; readonly pressureNews: PressureNews };

export class ReusedContext implements ShardContext {
  request: Request;
  readonly reply: ReplyWriterApi;
  keyspace: Keyspace;
  effects: Effects;
  nowMs: number;
  nodeBounds: NodeBounds;
  idempotenceWindow: IdempotenceWindow;
  delayedMaxEntries: number;
  outboxMaxBytes: number;
  effectRoomBytes: number;
  readonly isHeldUp: (key: string, group: string) => boolean;
  readonly counters: LeaderCounters;
  isUncounted: boolean;
  handsOut: boolean;
  readonly channels: Channels;
  readonly randomBelow: (n: number) => number;
  ack: Ack | null;
  resumed: BlockedCall | null;
  readyKey: string | null;
  denyBlocking: boolean;
  readMode: ReadMode;
  used: ReadUse;
  looksOnly: boolean;
  /** Set by the handler: there is something for the call. */
  isOffer: boolean;
  /** Set by the handler: the call waits. */
  blockedCall: BlockedCall | null;
  readonly #pressureNews: PressureNews;

  constructor(request: Request, reply: ReplyWriterApi, keyspace: Keyspace, effects: Effects, fixed: FixedContext) {
    this.request = request;
    this.reply = reply;
    this.keyspace = keyspace;
    this.effects = effects;
    this.nowMs = 0;
    this.nodeBounds = fixed.nodeBounds;
    this.idempotenceWindow = fixed.idempotenceWindow;
    this.delayedMaxEntries = 0;
    this.outboxMaxBytes = 0;
    this.effectRoomBytes = fixed.effectRoomBytes;
    this.counters = fixed.counters;
    this.isUncounted = false;
    this.handsOut = false;
    this.channels = fixed.channels;
    this.randomBelow = fixed.randomBelow;
    this.ack = null;
    this.resumed = null;
    this.readyKey = null;
    this.denyBlocking = false;
    this.readMode = ReadMode.whole;
    this.used = NOTHING_USED;
    this.looksOnly = false;
    this.isOffer = false;
    this.isHeldUp = fixed.isHeldUp;
    this.blockedCall = null;
    this.#pressureNews = fixed.pressureNews;
  }

  block(call: BlockedCall): void {
    this.blockedCall = call;
  }

  noteLimits(key: string): void {
    this.#pressureNews.met(key);
  }

  noteRefusedForLag(): void {
    this.counters.refusedForLag++;
  }

  offer(): void {
    this.isOffer = true;
  }
}
