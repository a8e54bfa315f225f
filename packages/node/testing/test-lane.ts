/** One client as the shard sees it: sends commands in frames and writes down what comes back, as text. */
import { bytesOf, concatBytes, latin1 } from "@headrace/bytes";
import type { Ack } from "@headrace/commands";
import { NOTHING_USED, RequestMode } from "@headrace/link";
import type { ReadUse, RefuseReason } from "@headrace/link";
import type { Lane, LaneSink, RequestBatch } from "../src/shard-api.ts";

/** The one shard that lanes of these tests talk to. */
export const GROUP = 3;

/** Where a lane's requests go. */
export interface LaneTarget {
  readonly up: { enqueue(batch: RequestBatch): void };
  readonly cluster: { settle(): void };
}

let lastLaneId = 0;

export class TestLane implements Lane, LaneSink {
  readonly id: number;
  respVersion: 2 | 3 = 2;
  ack: Ack | null = null;
  readonly clientId: number;
  session: Uint8Array;
  readonly openedAtMs = 0;
  closed = false;
  readonly sink: LaneSink;
  readonly target: LaneTarget;
  epoch = 1;
  nextNumber = 1;
  /** Of the next frames: not −1 for a resend. */
  executedUpTo = -1;
  mode: RequestMode = RequestMode.whole;
  used: ReadUse = NOTHING_USED;
  /** `4 +OK`, `5-6 lost`, `7 refused 1 leader 102`, in the order in which it came. */
  readonly events: string[] = [];
  /** Blocked calls that the shard has spoken of: `4 1-0`. */
  readonly parkedCalls: string[] = [];
  readonly offers: { readonly number: number; readonly offer: number }[] = [];
  /** Position of the last write answered. */
  writeTerm = 0;
  writeIndex = 0;
  replyFrames = 0;
  /** Reply bytes that were not taken away, and how many of them are too many. */
  bufferedBytes = 0;
  maxBufferedBytes = Number.POSITIVE_INFINITY;

  constructor(target: LaneTarget) {
    this.id = ++lastLaneId;
    this.clientId = this.id;
    this.session = new Uint8Array(16).fill(this.id & 0xff);
    this.sink = this;
    this.target = target;
  }

  /** One frame; each command is words, separated by blanks. Does not run anything yet. */
  queue(...commands: readonly string[]): void {
    const bytes = concatBytes(commands.map((command) => bytesOf(encode(command.split(" ")))));
    this.target.up.enqueue({
      lane: this,
      laneEpoch: this.epoch,
      firstNumber: this.nextNumber,
      count: commands.length,
      executedUpTo: this.executedUpTo,
      mode: this.mode,
      used: this.used,
      bytes,
    });
    this.nextNumber += commands.length;
  }

  /** One frame, and everything that can happen now. Answers what has come since. */
  send(...commands: readonly string[]): readonly string[] {
    const before = this.events.length;
    this.queue(...commands);
    this.target.cluster.settle();
    return this.events.slice(before);
  }

  take(): readonly string[] {
    return this.events.splice(0);
  }

  reply(
    _lane: Lane,
    shardId: number,
    laneEpoch: number,
    firstNumber: number,
    count: number,
    writeTerm: number,
    writeIndex: number,
    bytes: Uint8Array,
  ): void {
    if (shardId !== GROUP || laneEpoch > this.epoch) throw new Error("a reply for another shard or epoch");
    this.replyFrames++;
    this.bufferedBytes += bytes.length;
    if (writeIndex > 0) {
      this.writeTerm = writeTerm;
      this.writeIndex = writeIndex;
    }
    const texts = cutReplies(latin1(bytes, 0, bytes.length));
    if (texts.length !== count) throw new Error(`${texts.length} replies in a frame of ${count}`);
    for (const [i, text] of texts.entries()) this.events.push(`${firstNumber + i} ${text}`);
  }

  refuse(
    _lane: Lane,
    _shard: number,
    _epoch: number,
    firstNumber: number,
    reason: RefuseReason,
    leaderNodeId: number,
  ): void {
    this.events.push(`${firstNumber} refused ${reason} leader ${leaderNodeId}`);
  }

  isFull(): boolean {
    return this.bufferedBytes > this.maxBufferedBytes;
  }

  parked(_lane: Lane, _shard: number, _epoch: number, number: number, ids: readonly string[]): void {
    this.parkedCalls.push([`${number}`, ...ids].join(" "));
  }

  offer(_lane: Lane, _shard: number, number: number, offer: number): void {
    this.offers.push({ number, offer });
  }

  offerVoid(_lane: Lane, _shard: number, number: number): void {
    this.events.push(`${number} void`);
  }

  lost(_lane: Lane, _shard: number, _epoch: number, firstNumber: number, count: number): void {
    const last = firstNumber + count - 1;
    this.events.push(`${firstNumber}${count > 1 ? `-${last}` : ""} lost`);
  }
}

function encode(words: readonly string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

/** Cuts RESP2 into top-level replies, each flattened to words: `[[1-0 [f v]]]`. */
function cutReplies(text: string): readonly string[] {
  let at = 0;
  const one = (): string => {
    const end = text.indexOf("\r\n", at);
    const kind = text[at]!;
    const line = text.slice(at + 1, end);
    at = end + 2;
    if (kind === "$") {
      if (line === "-1") return "nil";
      const word = text.slice(at, at + Number(line));
      at += Number(line) + 2;
      return word;
    }
    if (kind !== "*") return kind + line;
    if (line === "-1") return "nil";
    const words: string[] = [];
    for (let i = Number(line); i > 0; i--) words.push(one());
    return `[${words.join(" ")}]`;
  };
  const replies: string[] = [];
  while (at < text.length) replies.push(one());
  return replies;
}
