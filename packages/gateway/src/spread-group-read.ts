/**
 * XREADGROUP over several shards. Taking is a write, so it goes in steps:
 *
 *   check  on all shards: keys and groups are there. An error is the answer, and nothing has happened
 *   take   each shard gives its streams; with MAXCOUNT or MAXSIZE one after the other, and each is told what those before it have used. What was
 *          given is the answer, whatever else went wrong
 *   wait   with BLOCK, when there was nothing: a part stands in the queues of each shard and takes nothing by itself. A shard offers; the first offer
 *          is accepted and only then are entries taken there. Offers of other shards are declined meanwhile. When what was accepted gave nothing
 *          (others were quicker, or the leader changed), the other parts are told to offer again, and the call waits on with its own deadline
 *
 * At most one offer is accepted at a time and the call ends when one gave something: no entry is taken that is not in the reply.
 */
import { OfferHow, RequestMode } from "@headrace/link";
import { GatewayErrors } from "./errors.ts";
import { NO_COMMAND } from "./request-run.ts";
import type { ShardLane } from "./shard-lane.ts";
import { PartAnswers } from "./part-answers.ts";
import { SpreadCall } from "./spread-call.ts";

const Step = { check: 0, take: 1, wait: 2 } as const;
type Step = (typeof Step)[keyof typeof Step];

const NONE = -1;

export class SpreadGroupRead extends SpreadCall {
  #step: Step = Step.check;
  /** When it came. */
  #sinceMs: number = 0;
  /** The part whose offer was accepted. */
  #accepted: number = NONE;
  readonly #declined: Set<number> = new Set();
  /** Not null: its time is over, or it was unblocked; ends as soon as no offer is accepted. */
  #ending: { readonly withError: boolean } | null = null;

  start(): void {
    const { plan } = this;
    this.#sinceMs = this.host.core.nowMs;
    this.holdClient();
    this.askAll(plan.parts, RequestMode.check, false);
  }

  onPart(part: number, bytes: Uint8Array, start: number, end: number): void {
    if (this.isOver) return;
    this.answers.take(part, bytes, start, end);
    if (this.#step === Step.wait) this.#onServed(part);
    else if (this.#step === Step.take && this.#isOneByOne) this.#takeNext(part);
    else if (this.answers.left > 0) return;
    else if (this.#step === Step.check) this.#checked();
    else this.#taken();
  }

  onParked(part: number): void {
    // Sent anew, it stands in a queue: what was accepted before was not taken.
    if (this.isOver) return;
    this.#declined.delete(part);
    if (part === this.#accepted) this.onOfferVoid(part);
  }

  onOffer(part: number, offer: number): void {
    if (this.isOver) return;
    const isFree = this.#accepted === NONE && this.#ending === null;
    this.#lane(part)?.answerOffer(this, part, offer, isFree ? OfferHow.accept : OfferHow.decline);
    if (isFree) this.#accepted = part;
    else this.#declined.add(part);
  }

  onOfferVoid(part: number): void {
    if (this.isOver || part !== this.#accepted) return;
    this.#accepted = NONE;
    this.#waitOn();
  }

  unblock(withError: boolean): boolean {
    if (this.#step !== Step.wait || this.#ending !== null) return false;
    this.#end(withError);
    return true;
  }

  #checked(): void {
    const error = this.answers.firstError();
    if (error !== null) {
      this.finish(error);
      return;
    }
    this.#step = Step.take;
    if (this.#isOneByOne) {
      this.answers = new PartAnswers(this.plan.inOrder());
      this.#take(0);
    } else {
      this.askAll(this.plan.parts, this.#takeMode, false);
    }
  }

  get #isOneByOne(): boolean {
    return this.plan.options.isBounded;
  }

  get #takeMode(): RequestMode {
    return this.#mayWait ? RequestMode.partBehind : RequestMode.part;
  }

  #take(part: number): void {
    const asked = this.answers.parts[part]!;
    const used = this.answers.use(this.client.session.respVersion);
    const request = this.plan.requestOf(asked, false);
    this.client.partToShard(asked.shardId, request, this, part, this.#takeMode, false, NO_COMMAND, used);
  }

  /** An error ends it: what is given afterwards would not be in the caller's order. */
  #takeNext(part: number): void {
    if (this.answers.left === 0 || this.answers.firstError() !== null) this.#taken();
    else this.#take(part + 1);
  }

  #taken(): void {
    const given = this.gathered();
    const error = this.answers.firstError();
    if (given !== null) this.finish(given);
    else if (error !== null) this.finish(error);
    else if (this.#mayWait) this.#wait();
    else this.finishWithNull();
  }

  get #mayWait(): boolean {
    return this.plan.options.blocks && this.plan.allNew;
  }

  #wait(): void {
    const { blockMs } = this.plan.options;
    if (blockMs > 0) {
      const leftMs = this.#sinceMs + blockMs - this.host.core.nowMs;
      if (leftMs <= 0) {
        this.finishWithNull();
        return;
      }
      this.after(leftMs, () => this.#end(false));
    }
    this.#step = Step.wait;
    this.isBlocked();
    this.askAll(this.plan.parts, RequestMode.offered, true);
  }

  /** A part is over: it gave something, or cannot wait any more. */
  #onServed(part: number): void {
    const given = this.answers.gave(part) ? this.gathered() : null;
    if (given !== null) {
      this.finish(given);
      return;
    }
    if (part === this.#accepted) this.#accepted = NONE;
    this.#waitOn();
  }

  /** Nothing was taken. */
  #waitOn(): void {
    // An accepted offer comes first: what it gives is the answer.
    if (this.#accepted !== NONE) return;
    const error = this.answers.firstError();
    if (error !== null) this.finish(error);
    else if (this.#ending !== null) this.finishUnblocked(this.#ending.withError);
    else if (this.answers.left === 0) this.finishWithNull();
    else {
      for (const declined of this.#declined) this.#lane(declined)?.answerOffer(this, declined, 0, OfferHow.resume);
      this.#declined.clear();
    }
  }

  /** Its time is over. What was accepted may have been taken: its fate is waited for, and never given up as nothing. */
  #end(withError: boolean): void {
    this.#ending = { withError };
    if (this.#accepted === NONE) {
      this.finishUnblocked(withError);
      return;
    }
    this.after(this.host.core.limits.replyTimeoutMs, () => this.finishWithError(GatewayErrors.uncertain));
  }

  #lane(part: number): ShardLane | undefined {
    return this.client.lanes.get(this.answers.parts[part]!.shardId);
  }
}
