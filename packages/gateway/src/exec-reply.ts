/**
 * The one reply of an EXEC: what the shard answered for the commands that ran there, and in their places between them what this process answers
 * itself (PING, CLIENT, CONFIG …). Those run when the shard's part is done, and not at all when it was refused, aborted by WATCH or its fate is unknown.
 */
import { assert, ByteWriter, copyOf } from "@headrace/bytes";
import type { CommandRecord, QueuedCommand } from "@headrace/commands";
import { behindHeader, ReplyWriter, skipReply } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { ReplySlot } from "./reply-queue.ts";
import type { PartSink } from "./request-run.ts";

const STAR = 42;
const MINUS = 45;

export interface ExecHost {
  /** Answers a command that runs here; `done` gets its reply, perhaps in a later event. */
  answerInside(client: ClientConnection, queued: QueuedCommand, done: (reply: Uint8Array) => void): void;
  /** Counts a command that EXEC carries out, and shows it to who monitors. */
  noteCall(client: ClientConnection, queued: QueuedCommand): void;
  /** Counts the reply of a command. */
  noteReply(record: CommandRecord, bytes: Uint8Array, start: number, end: number): void;
}

export class ExecReply implements PartSink {
  readonly #client: ClientConnection;
  readonly #slot: ReplySlot;
  readonly #host: ExecHost;
  readonly #queued: readonly QueuedCommand[];
  readonly #writer: ByteWriter = new ByteWriter(256);
  /** Of the shard: an array, from the next element on. */
  #shardReply: Uint8Array = new Uint8Array(0);
  #at: number = 0;
  #next: number = 0;

  constructor(client: ClientConnection, slot: ReplySlot, host: ExecHost, queued: readonly QueuedCommand[]) {
    this.#client = client;
    this.#slot = slot;
    this.#host = host;
    this.#queued = queued;
  }

  /** Something is answered here: the client's later requests wait for it. */
  get hasOwn(): boolean {
    return this.#queued.some(({ record }) => record.execute === null);
  }

  onPart(_part: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.#client.isGone) return;
    // An error, or nil in either protocol.
    if (bytes[start] !== STAR || bytes[start + 1] === MINUS) {
      this.#deliver(bytes, start, end);
      return;
    }
    this.#shardReply = copyOf(bytes, start, end);
    this.#at = behindHeader(this.#shardReply, 0, this.#shardReply.length);
    this.proceed();
  }

  /** Goes through the commands in their order, as far as they are answered. */
  proceed(): void {
    const { length } = this.#queued;
    if (this.#next === 0) new ReplyWriter(this.#writer).array(length);
    while (this.#next < length) {
      const queued = this.#queued[this.#next++]!;
      if (queued.record.execute !== null) this.#takeShardPart(queued.record);
      else if (!this.#answerHere(queued)) return;
    }
    const bytes = this.#writer.take(0);
    this.#deliver(bytes, 0, bytes.length);
  }

  #takeShardPart(record: CommandRecord): void {
    const bytes = this.#shardReply;
    const end = skipReply(bytes, this.#at, bytes.length);
    assert(end > 0, "a shard answers every part of a transaction");
    this.#take(record, bytes, this.#at, end);
    this.#at = end;
  }

  /** False: the answer comes later, and goes on from there. */
  #answerHere(queued: QueuedCommand): boolean {
    let isAnswered = false;
    let isLater = false;
    this.#host.answerInside(this.#client, queued, (reply) => {
      if (this.#client.isGone) return;
      this.#take(queued.record, reply, 0, reply.length);
      isAnswered = true;
      if (isLater) this.proceed();
    });
    isLater = true;
    return isAnswered;
  }

  #take(record: CommandRecord, bytes: Uint8Array, start: number, end: number): void {
    this.#host.noteReply(record, bytes, start, end);
    this.#writer.raw(bytes, start, end);
  }

  #deliver(bytes: Uint8Array, start: number, end: number): void {
    this.#client.replies.deliver(this.#slot, 1, bytes, start, end);
    if (this.hasOwn) this.#client.unblocked();
  }
}
