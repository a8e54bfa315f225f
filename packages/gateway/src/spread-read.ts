/**
 * XREAD over several shards. Nothing is taken, so only the reply has to be right. All shards are asked at once; with BLOCK their parts wait there, and
 * stand where `$` was resolved when they came. When each has answered or said that it waits, the call is as far as Redis is when it blocks: what came
 * by then is the answer, or else the first to answer later. The others are cancelled.
 */
import { CancelHow, RequestMode } from "@headrace/link";
import { GatewayErrors } from "./errors.ts";
import { Waiting } from "./shard-lane.ts";
import { SpreadCall } from "./spread-call.ts";

export class SpreadRead extends SpreadCall {
  /** Parts that have said nothing yet. */
  readonly #unheard: Set<number> = new Set();
  #isPatienceOver: boolean = false;
  /** Its time is over: parts that wait have been told so. */
  #isEnding: boolean = false;

  start(): void {
    const { plan } = this;
    const { blocks, blockMs } = plan.options;
    for (const i of plan.parts.keys()) this.#unheard.add(i);
    if (blocks) {
      this.holdClient();
      this.isBlocked();
      if (blockMs > 0) this.after(blockMs, () => this.#endWaiting());
      this.#whenLost(() => {
        this.#isPatienceOver = true;
        this.#judge();
      });
    }
    this.askAll(plan.parts, RequestMode.part, blocks);
  }

  onPart(part: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.isOver) return;
    this.#unheard.delete(part);
    this.answers.take(part, bytes, start, end);
    this.#judge();
  }

  onParked(part: number): void {
    if (this.isOver) return;
    this.#unheard.delete(part);
    if (this.#isEnding) this.#endPart(part);
    this.#judge();
  }

  unblock(withError: boolean): boolean {
    if (!this.plan.options.blocks) return false;
    this.finishUnblocked(withError);
    return true;
  }

  #endWaiting(): void {
    this.#isEnding = true;
    for (const i of this.plan.parts.keys()) if (!this.#unheard.has(i) && !this.answers.has(i)) this.#endPart(i);
    this.#whenLost(() => this.#finish());
    this.#judge();
  }

  /** Parts that have said nothing by then are given up: sooner when nobody leads their shard, else as late as any request that a shard has got. */
  #whenLost(giveUp: () => void): void {
    const { holdMs, replyTimeoutMs } = this.host.core.limits;
    this.after(holdMs, () => {
      const isLeaderless = [...this.#unheard].some((i) => this.#waitsOf(i) !== Waiting.nothing);
      if (isLeaderless || this.#unheard.size === 0 || replyTimeoutMs <= holdMs) giveUp();
      else this.after(replyTimeoutMs - holdMs, giveUp);
    });
  }

  #waitsOf(part: number): Waiting | undefined {
    return this.client.lanes.get(this.plan.parts[part]!.shardId)?.waiting;
  }

  #endPart(part: number): void {
    const lane = this.client.lanes.get(this.plan.parts[part]!.shardId);
    if (lane?.endPart(this, part, CancelHow.timeOut) === true) return;
    // It was on its way to another leader, and had found nothing before.
    const nothing = this.replyBytes((reply) => reply.nullArray());
    this.answers.take(part, nothing, 0, nothing.length);
  }

  #judge(): void {
    if (this.isOver) return;
    if (this.answers.left === 0) {
      this.#finish();
      return;
    }
    if (!this.plan.options.blocks || (this.#unheard.size > 0 && !this.#isPatienceOver)) return;
    if (this.answers.hasStreams || this.answers.firstError() !== null || this.#unheard.size > 0) this.#finish();
  }

  #finish(): void {
    const refusal = this.answers.refusal();
    const streams = this.gathered();
    const error = this.answers.firstError();
    // Without BLOCK nothing may be missing; a call that waits is served by any of its shards.
    const wantsAll = !this.plan.options.blocks;
    if (refusal !== null) this.finish(refusal);
    else if (error !== null && (wantsAll || streams === null)) this.finish(error);
    else if (streams !== null) this.finish(streams);
    else if (this.#unheard.size > 0) this.finishWithError(GatewayErrors.noLeader);
    else this.finishWithNull();
  }
}
