/**
 * What XREAD and XREADGROUP over several shards have in common: a place in the client's order of replies, parts on their way, one answer. The two
 * calls say what happens in between (spread-read.ts, spread-group-read.ts).
 */
import { ByteWriter } from "@headrace/bytes";
import { Errors, ReadBudget } from "@headrace/commands";
import { CancelHow } from "@headrace/link";
import type { RequestMode } from "@headrace/link";
import type { Scheduler, Timer } from "@headrace/ports";
import { ReplyWriter } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { LaneCore } from "./lane-core.ts";
import { PartAnswers } from "./part-answers.ts";
import type { ReadPart, ReadPlan } from "./read-plan.ts";
import type { ReplySlot } from "./reply-queue.ts";
import type { PartSink } from "./request-run.ts";

export interface SpreadHost {
  readonly core: LaneCore;
  readonly scheduler: Scheduler;
  /** The call is over. */
  ended(call: SpreadCall): void;
}

export abstract class SpreadCall implements PartSink {
  readonly client: ClientConnection;
  protected readonly host: SpreadHost;
  protected readonly plan: ReadPlan;
  protected answers: PartAnswers;
  protected isOver: boolean = false;
  readonly #slot: ReplySlot;
  readonly #timers: Timer[] = [];
  #holdsClient: boolean = false;

  constructor(host: SpreadHost, client: ClientConnection, plan: ReadPlan) {
    this.host = host;
    this.client = client;
    this.plan = plan;
    this.answers = new PartAnswers([]);
    this.#slot = client.reserve();
  }

  abstract start(): void;
  abstract onPart(part: number, bytes: Uint8Array, start: number, end: number): void;
  /** CLIENT UNBLOCK. False: it does not wait. */
  abstract unblock(withError: boolean): boolean;

  /** The client is gone, and its lanes with it. */
  abandon(): void {
    this.isOver = true;
    for (const timer of this.#timers) timer.cancel();
  }

  /** The client's later requests wait until this one is over. */
  protected holdClient(): void {
    this.#holdsClient = true;
    this.client.barrier = true;
  }

  protected isBlocked(): void {
    this.client.session.blocked = true;
  }

  protected after(delayMs: number, task: () => void): void {
    this.#timers.push(
      this.host.scheduler.after(delayMs, () => {
        if (!this.isOver) task();
      }),
    );
  }

  /** Asks all of these at once; their answers are gathered from now on. */
  protected askAll(parts: readonly ReadPart[], mode: RequestMode, waits: boolean): void {
    this.answers = new PartAnswers(parts);
    const requests = parts.map((part) => this.plan.requestOf(part, waits));
    for (const [i, part] of parts.entries()) {
      // An answer that came at once may have ended the call.
      if (this.isOver) return;
      this.client.partToShard(part.shardId, requests[i]!, this, i, mode, waits);
    }
  }

  protected finish(reply: Uint8Array): void {
    if (this.isOver) return;
    this.abandon();
    this.dropAll();
    this.client.replies.deliver(this.#slot, 1, reply, 0, reply.length);
    this.host.ended(this);
    if (this.#holdsClient) this.client.unblocked();
  }

  protected finishWithNull(): void {
    this.finish(this.replyBytes((reply) => reply.nullArray()));
  }

  protected finishWithError(text: string): void {
    this.finish(this.host.core.errorReplies(text, 1));
  }

  protected finishUnblocked(withError: boolean): void {
    if (withError) this.finishWithError(Errors.unblocked);
    else this.finishWithNull();
  }

  /** What waits anywhere waits no longer, and nobody wants to hear of it. */
  protected dropAll(): void {
    for (const [i, { shardId }] of this.answers.parts.entries()) {
      if (!this.answers.has(i)) this.client.lanes.get(shardId)?.dropPart(this, i, CancelHow.timeOut);
    }
  }

  /** Null: no stream has anything. */
  protected gathered(): Uint8Array | null {
    const { options, isGroup } = this.plan;
    let budget: ReadBudget | null = null;
    if (options.isBounded && !isGroup) {
      // Each shard has kept to all of it. What was taken for a group is in the reply, so that kept to it as a whole.
      budget = new ReadBudget();
      budget.begin(options.maxCount, options.maxSize, 0, 0);
    }
    return this.answers.reply(this.client.session.respVersion, budget);
  }

  protected replyBytes(write: (reply: ReplyWriter) => void): Uint8Array {
    const reply = new ReplyWriter(new ByteWriter(64), this.client.session.respVersion);
    write(reply);
    return reply.writer.take(0);
  }
}
