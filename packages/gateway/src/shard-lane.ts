/**
 * What one client has asked of one shard and not yet got: a FIFO of runs, in the client's order. It gives the numbers, keeps the lane epoch
 * and decides for each run what its fate means: answered, refused (sent again, in order), lost (reads are repeated, writes are answered
 * -UNCERTAIN), given up.
 *
 *   runs:  done, kept for order │ sent, unanswered │ queued (no leader, no credit, or the epoch has ended)
 *
 * An epoch ends with a refusal or a loss; the next one begins when nothing of the old one is open, so that order survives a move.
 */
import { assert } from "@headrace/bytes";
import { Errors } from "@headrace/commands";
import { CancelHow, OfferHow, RequestMode } from "@headrace/link";
import type { Lost, Offer, Parked, Refuse, ReplyPayload } from "@headrace/link";
import type { Request } from "@headrace/resp";
import { BlockArgument } from "./block-argument.ts";
import { GatewayErrors } from "./errors.ts";
import { LastWrites } from "./last-writes.ts";
import type { LaneOnLink, NodeLink } from "./node-link.ts";
import type { ReplyQueue } from "./reply-queue.ts";
import { RequestRun, RunState, splitRequests } from "./request-run.ts";
import type { PartSink } from "./request-run.ts";
import type { LaneCore } from "./lane-core.ts";

/** The client, as its lanes see it. */
export interface LaneOwner {
  readonly laneId: number;
  readonly replies: ReplyQueue;
  /** Bytes of requests are no longer needed. */
  released(requestBytes: number): void;
  /** The reply of its blocking call, or of its held write, begins there. */
  blockingAnswered(bytes: Uint8Array, start: number): void;
  /** Its held write waits there no more, and nobody has ended it. */
  heldElsewhere(): void;
  /** Its blocking call has been answered. */
  unblocked(): void;
}

/** What queued runs wait for; decides what the client is told when it takes too long. */
export const Waiting = { nothing: 0, leader: 1, overload: 2, credit: 3, drain: 4, held: 5 } as const;
export type Waiting = (typeof Waiting)[keyof typeof Waiting];

const COMPACT_AT = 64;

export class ShardLane {
  readonly owner: LaneOwner;
  readonly shardId: number;
  readonly writes: LastWrites = new LastWrites();
  waiting: Waiting = Waiting.nothing;
  readonly #core: LaneCore;
  #runs: RequestRun[] = [];
  #head: number = 0;
  /** No run before this index is queued. */
  #queuedFrom: number = 0;
  #sentCount: number = 0;
  #epoch: number = 0;
  #nextNumber: number = 1;
  #link: NodeLink | null = null;
  #lane: LaneOnLink | null = null;
  #ended: boolean = true;
  /** The write that a node holds, or held last: what comes behind it stays here meanwhile. */
  #heldWrite: RequestRun | null = null;

  constructor(core: LaneCore, owner: LaneOwner, shardId: number) {
    this.#core = core;
    this.owner = owner;
    this.shardId = shardId;
  }

  get link(): NodeLink | null {
    return this.#link;
  }

  get isIdle(): boolean {
    return this.#head === this.#runs.length;
  }

  submit(run: RequestRun): void {
    this.#runs.push(run);
    this.trySend();
  }

  /** Sends what is queued as far as leader, epoch and credit allow; else registers where it will be woken. */
  trySend(): void {
    const runs = this.#runs;
    for (;;) {
      let at = Math.max(this.#queuedFrom, this.#head);
      while (at < runs.length && runs[at]!.state !== RunState.queued) at++;
      this.#queuedFrom = at;
      if (at === runs.length) {
        this.waiting = Waiting.nothing;
        return;
      }
      const redirects = this.#redirects(runs[at]!);
      if (redirects !== null) {
        this.#answerBytes(runs[at]!, redirects);
        this.#advance();
        continue;
      }
      const before = this.waiting;
      if (!this.#readyToSend()) {
        if (before === Waiting.nothing) this.#core.statistics.heldRequests++;
        return;
      }
      this.#send(at);
    }
  }

  onReply(link: NodeLink, reply: ReplyPayload, bytes: Uint8Array): boolean {
    if (link !== this.#link || reply.laneEpoch !== this.#epoch) return true;
    const run = this.#firstSent();
    if (run === null) return false;
    if (reply.firstNumber !== run.firstNumber + run.answered || reply.count > run.count - run.answered) return false;
    const errors = this.#core.statistics.countErrors(bytes, reply.start, reply.end, reply.count);
    if (errors !== null) this.#core.noteFailures(run, run.answered, errors);
    run.answered += reply.count;
    const isHeld = this.#isHeld(run);
    if ((run.isBlocking || isHeld) && run.slot !== null) this.owner.blockingAnswered(bytes, reply.start);
    if (reply.writeIndex > 0) this.writes.note(reply.writeTerm, reply.writeIndex);
    this.#settle(run, reply.count, bytes, reply.start, reply.end);
    if (run.answered === run.count) {
      this.#sentCount--;
      if (!run.isBlocking) this.#core.noteAnswered(run, this.#core.nowMs - run.sinceMs, this.owner.laneId);
      if (isHeld) this.#letGo();
      this.#finish(run);
    }
    this.#advance();
    if (this.waiting !== Waiting.nothing) this.trySend();
    return true;
  }

  onRefuse(link: NodeLink, refuse: Refuse): boolean {
    if (link !== this.#link || refuse.laneEpoch !== this.#epoch) return true;
    for (let i = this.#head; i < this.#runs.length; i++) {
      let run = this.#runs[i]!;
      if (run.state !== RunState.sent || run.firstNumber + run.count <= refuse.firstNumber) continue;
      if (refuse.firstNumber > run.firstNumber) {
        if (refuse.firstNumber < run.firstNumber + run.answered) return false;
        this.#cutAt(i, refuse.firstNumber - run.firstNumber);
        i++;
        run = this.#runs[i]!;
      } else if (run.answered > 0) {
        return false;
      }
      this.#takeBack(run);
    }
    this.#endEpoch();
    return true;
  }

  onLost(link: NodeLink, lost: Lost): boolean {
    if (link !== this.#link || lost.laneEpoch !== this.#epoch) return true;
    let left = lost.count;
    let number = lost.firstNumber;
    while (left > 0) {
      const run = this.#firstSent();
      if (run === null || number !== run.firstNumber + run.answered) return false;
      const count = Math.min(left, run.count - run.answered);
      if (run.answered + count < run.count) this.#cutAt(this.#runs.indexOf(run, this.#head), run.answered + count);
      this.#lose(this.#firstSent()!);
      left -= count;
      number += count;
    }
    this.#endEpoch();
    return true;
  }

  /** The blocked call, or the held write, stands in the node's queues. If it has to go elsewhere, it goes on from where it reads there. */
  onParked(link: NodeLink, { laneEpoch, number, ids }: Parked): boolean {
    if (link !== this.#link || laneEpoch !== this.#epoch) return true;
    for (let i = this.#head; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (run.state !== RunState.sent || number < run.firstNumber || number >= run.firstNumber + run.count) continue;
      if (!run.isBlocking) return this.#hold(i, number - run.firstNumber);
      this.#noteParked(run);
      if (ids.length > 0) {
        const at = this.#runs.indexOf(run, this.#head);
        if (at >= 0) this.#runs[at] = BlockArgument.withIds(run, ids);
      }
      return true;
    }
    return true;
  }

  /** One of the run's requests is a write that waits until consumers have caught up: it becomes a run of its own. */
  #hold(i: number, at: number): boolean {
    if (at < this.#runs[i]!.answered) return false;
    if (at > 0) this.#cutAt(i, at);
    const held = at > 0 ? i + 1 : i;
    if (this.#runs[held]!.count > 1) this.#cutAt(held, 1);
    const run = this.#runs[held]!;
    run.isParked = true;
    this.#heldWrite = run;
    this.#advance();
    return true;
  }

  #isHeld(run: RequestRun | null): boolean {
    return run !== null && run === this.#heldWrite && run.isParked && run.state === RunState.sent;
  }

  /** What was sent behind it begins to run only now. */
  #letGo(): void {
    for (let i = this.#runs.indexOf(this.#heldWrite!, this.#head) + 1; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (run.state === RunState.sent) run.sentAtMs = this.#core.nowMs;
    }
  }

  /** The first that is heard of it since it was sent, be it an offer: word that it waits may come behind that. */
  #noteParked(run: RequestRun): void {
    if (run.isParked) return;
    run.isParked = true;
    run.sink?.onParked?.(run.part);
  }

  /** A node has something for a part that waits there; or it had, and what was accepted is not there any more. */
  onOffer(link: NodeLink, { number, offer }: Offer, isVoid: boolean): void {
    const run = link === this.#link ? this.#findRun((one) => one.firstNumber === number) : null;
    if (run === null || run.state !== RunState.sent) return;
    if (!isVoid) {
      this.#noteParked(run);
      run.sink?.onOffer?.(run.part, offer);
      return;
    }
    run.isAccepted = false;
    run.sink?.onOfferVoid?.(run.part);
  }

  /** What the client's call says to an offer. False: the part does not stand at that node any more. */
  answerOffer(sink: PartSink, part: number, offer: number, how: OfferHow): boolean {
    const run = this.#findRun((one) => one.sink === sink && one.part === part);
    if (run === null || run.state !== RunState.sent) return false;
    run.isAccepted = how === OfferHow.accept;
    this.#link!.sendOfferAnswer(this.shardId, this.owner.laneId, { number: run.firstNumber, offer, how });
    return true;
  }

  /** Ends a part that waits: its reply comes. False: it was not sent, and nothing comes. */
  endPart(sink: PartSink, part: number, how: CancelHow): boolean {
    const run = this.#findRun((one) => one.sink === sink && one.part === part);
    if (run === null) return false;
    if (run.state === RunState.sent) {
      this.#link!.sendCancel(this.shardId, this.owner.laneId, { number: run.firstNumber, how });
      return true;
    }
    this.dropPart(sink, part, how);
    return false;
  }

  /** The same, and nobody wants its reply. */
  dropPart(sink: PartSink, part: number, how: CancelHow): void {
    const run = this.#findRun((one) => one.sink === sink && one.part === part);
    if (run === null) return;
    if (run.state === RunState.sent)
      this.#link!.sendCancel(this.shardId, this.owner.laneId, { number: run.firstNumber, how });
    else run.state = RunState.done;
    run.sink = null;
    this.owner.released(run.end - run.start);
    this.#advance();
  }

  /** Ends the client's call or held write that waits here. False: none does. */
  unblock(withError: boolean): boolean {
    const run = this.#findRun((one) => (one.isBlocking || this.#isHeld(one)) && one.slot !== null);
    if (run === null) return false;
    if (run.state === RunState.sent) {
      const how = withError ? CancelHow.unblock : CancelHow.timeOut;
      this.#link!.sendCancel(this.shardId, this.owner.laneId, { number: run.firstNumber, how });
      return true;
    }
    const bytes = withError ? this.#core.errorReplies(Errors.unblocked, 1) : this.#core.nullReply(this.owner.laneId);
    this.owner.blockingAnswered(bytes, 0);
    this.#answerBytes(run, bytes);
    this.#advance();
    return true;
  }

  #findRun(matches: (run: RequestRun) => boolean): RequestRun | null {
    for (let i = this.#head; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (run.state !== RunState.done && matches(run)) return run;
    }
    return null;
  }

  /** The link is dead, or taken for dead: everything sent and unanswered is lost. */
  onLinkDown(link: NodeLink): void {
    if (link !== this.#link) return;
    for (let run = this.#firstSent(); run !== null; run = this.#firstSent()) this.#lose(run);
    this.#link = null;
    this.#lane = null;
    this.#endEpoch();
  }

  /** The node at the other end stops and has said that nothing unanswered happened: all of it is sent again, in order. */
  onLinkLeft(link: NodeLink): void {
    if (link !== this.#link) return;
    for (let i = this.#head; i < this.#runs.length; i++) {
      let run = this.#runs[i]!;
      if (run.state !== RunState.sent) continue;
      if (run.answered > 0) {
        this.#cutAt(i, run.answered);
        i++;
        run = this.#runs[i]!;
      }
      this.#takeBack(run);
    }
    this.#link = null;
    this.#lane = null;
    this.#endEpoch();
  }

  /** Sent, and refused. */
  #takeBack(run: RequestRun): void {
    this.#sentCount--;
    if (run === this.#heldWrite) this.owner.heldElsewhere();
    this.#core.statistics.resentRequests += run.count;
    // What it wrote when it came here is known of, if an earlier attempt is in doubt.
    if (run.isParked && run.executedUpTo >= 0) run.executedUpTo = run.firstNumber;
    run.state = run.isWanted ? RunState.queued : RunState.done;
  }

  /** Gives up what has waited for too long. */
  sweep(nowMs: number): void {
    const { holdMs, replyTimeoutMs, suspectMs } = this.#core.limits;
    const link = this.#link;
    if (link !== null && this.#sentCount > 0) {
      // Late fates from there belong to an ended epoch and are dropped.
      if (this.#core.router.isSuperseded(this.shardId, link, nowMs, suspectMs)) this.onLinkDown(link);
    }
    let changed = false;
    let isBehindHeld = false;
    for (let i = this.#head; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      // How long a write is held its leader says, and nothing behind it runs before.
      if (this.#isHeld(run)) isBehindHeld = true;
      if (run.state === RunState.queued) {
        const redirects = this.waiting === Waiting.leader ? this.#redirects(run) : null;
        if (redirects !== null) {
          this.#answerBytes(run, redirects);
          changed = true;
          continue;
        }
        const limitMs = this.waiting === Waiting.drain ? holdMs + replyTimeoutMs : holdMs;
        // A blocked call may wait as long as it asked for; a short one still waits for a leader as everything else does.
        const heldUntilMs = run.sinceMs + limitMs;
        const endsMs = run.isBlocking ? Math.max(run.deadlineMs, heldUntilMs) : heldUntilMs;
        if (this.waiting === Waiting.credit || this.waiting === Waiting.held || nowMs < endsMs) continue;
        this.#giveUpQueued(run);
        changed = true;
      } else if (run.state === RunState.sent && run.isWanted && !isBehindHeld) {
        // A call with a short BLOCK may have been held for longer than that before it was sent.
        const fromMs = run.isBlocking ? Math.max(run.deadlineMs, run.sentAtMs) : run.sentAtMs;
        if (nowMs < fromMs + replyTimeoutMs) continue;
        i += this.#abandon(i);
        changed = true;
      }
    }
    if (changed) this.#advance();
  }

  /** The client is gone. */
  close(): void {
    this.#runs = [];
    this.#head = 0;
    this.#heldWrite = null;
    this.#sentCount = 0;
    this.#link = null;
    this.#lane = null;
    this.#core.router.forget(this);
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A node's own port: the answers for what belongs to another node by now. */
  #redirects(run: RequestRun): Uint8Array | null {
    return this.#core.keepsBlocked || run.isForAnyNode ? null : this.#core.redirects(this.shardId, run);
  }

  #readyToSend(): boolean {
    if (this.#ended && this.#sentCount > 0) {
      this.waiting = Waiting.drain;
      return false;
    }
    const link = this.#core.router.linkFor(this.shardId);
    if (link === null) {
      this.waiting = this.#core.router.isOverloaded(this.shardId) ? Waiting.overload : Waiting.leader;
      this.#core.router.wait(this);
      return false;
    }
    if (link !== this.#link || this.#ended) {
      if (this.#sentCount > 0) {
        this.waiting = Waiting.drain;
        return false;
      }
      this.#epoch++;
      this.#ended = false;
      this.#link = link;
      this.#lane = link.openLane(this.owner.laneId);
    }
    if (this.#isHeld(this.#heldWrite)) {
      this.waiting = Waiting.held;
      return false;
    }
    if (!link.canSend(this.#lane!)) {
      this.waiting = Waiting.credit;
      link.waitForCredit(this);
      return false;
    }
    return true;
  }

  #send(at: number): void {
    let run = this.#runs[at]!;
    const nowMs = this.#core.nowMs;
    if (run.isBlocking && run.sentAtMs > 0 && Number.isFinite(run.deadlineMs)) {
      // Sent before and refused: the node counts from zero, the client does not.
      run = BlockArgument.withTimeout(run, Math.max(1, Math.ceil(run.deadlineMs - nowMs)));
      this.#runs[at] = run;
    }
    run.state = RunState.sent;
    run.isParked = false;
    run.isAccepted = false;
    run.firstNumber = this.#nextNumber;
    run.sentAtMs = nowMs;
    this.#nextNumber += run.count;
    this.#sentCount++;
    this.#queuedFrom = at + 1;
    const lowest = this.#sentCount === 1 ? run.firstNumber : this.#firstSent()!.firstNumber;
    this.#link!.sendRequest(this.#lane!, this.shardId, this.#epoch, run, lowest);
  }

  #endEpoch(): void {
    this.#ended = true;
    this.#queuedFrom = this.#head;
    this.#advance();
    this.trySend();
  }

  // ── fates ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #firstSent(): RequestRun | null {
    for (let i = this.#head; i < this.#runs.length; i++) {
      const run = this.#runs[i]!;
      if (run.state === RunState.sent) return run;
    }
    return null;
  }

  /** Replies for the run: on to the client, or kept until the runs before it are done. */
  #settle(run: RequestRun, count: number, bytes: Uint8Array, start: number, end: number): void {
    if (!run.isWanted) return;
    if (this.#runs[this.#head] === run && run.early === null) {
      this.#hand(run, count, bytes, start, end);
      return;
    }
    run.earlyCount += count;
    const piece = bytes.subarray(start, end);
    if (run.early === null) run.early = [piece];
    else run.early.push(piece);
  }

  #hand(run: RequestRun, count: number, bytes: Uint8Array, start: number, end: number): void {
    if (run.slot !== null) this.owner.replies.deliver(run.slot, count, bytes, start, end);
    else run.sink!.onPart(run.part, bytes, start, end);
  }

  #finish(run: RequestRun): void {
    run.state = RunState.done;
    if (!run.isWanted) return;
    this.owner.released(run.end - run.start);
    if (run.isBlocking && run.sink === null) this.owner.unblocked();
  }

  /** Hands out what was kept for order, and drops what is done. */
  #advance(): void {
    const runs = this.#runs;
    for (let i = this.#head; i < runs.length; i++) {
      const run = runs[i]!;
      if (!run.isWanted) continue;
      if (run.early !== null) {
        const early = run.early;
        let count = run.earlyCount;
        run.early = null;
        run.earlyCount = 0;
        for (const piece of early) {
          // Only the sum of the counts matters to a slot that is not yet complete.
          const part = piece === early.at(-1) ? count : 0;
          this.#hand(run, part, piece, 0, piece.length);
          count -= part;
        }
      }
      if (run.state !== RunState.done) break;
    }
    while (this.#head < runs.length && runs[this.#head]!.state === RunState.done) this.#head++;
    if (this.#head === runs.length) {
      runs.length = 0;
      this.#head = 0;
      this.#queuedFrom = 0;
    } else if (this.#head >= COMPACT_AT && this.#head * 2 > runs.length) {
      runs.splice(0, this.#head);
      this.#queuedFrom = Math.max(0, this.#queuedFrom - this.#head);
      this.#head = 0;
    }
  }

  /** Cuts the run at `i` behind its first `count` requests; both parts keep state and fate. */
  #cutAt(i: number, count: number): void {
    const run = this.#runs[i]!;
    assert(count > 0 && count < run.count && count >= run.answered, "a run is cut inside, behind what is answered");
    let border = run.start;
    let seen = 0;
    splitRequests(run, (_request, _from, to) => {
      if (seen++ < count) border = to;
    });
    const front = this.#piece(run, run.start, border, count);
    front.answered = run.answered;
    front.early = run.early;
    front.earlyCount = run.earlyCount;
    const rest = this.#piece(run, border, run.end, run.count - count);
    rest.firstNumber = run.firstNumber + count;
    this.#runs.splice(i, 1, front, rest);
    if (run.state !== RunState.sent) return;
    if (front.answered < front.count) this.#sentCount++;
    else this.#finish(front);
  }

  /** A part of a run, in the same state. */
  #piece(run: RequestRun, start: number, end: number, count: number): RequestRun {
    const piece = new RequestRun(run.bytes, start, end, count, run);
    piece.state = run.state;
    piece.firstNumber = run.firstNumber;
    piece.sentAtMs = run.sentAtMs;
    piece.isForAnyNode = run.isForAnyNode;
    return piece;
  }

  /** Nobody knows what became of the run's unanswered requests: reads go back to the queue, writes are answered -UNCERTAIN. */
  #lose(run: RequestRun): void {
    this.#sentCount--;
    if (run === this.#heldWrite) this.owner.heldElsewhere();
    if (!run.isWanted) {
      run.state = RunState.done;
      return;
    }
    if (run.mode === RequestMode.offered && !run.isAccepted) {
      // It takes nothing that it has not accepted.
      run.state = RunState.queued;
      return;
    }
    if ((run.isParked || run.isAccepted) && this.#core.keepsBlocked && this.#mayHaveTaken(run)) {
      // The next leader knows whether it was served in the end; if not, it waits on there.
      run.executedUpTo = run.firstNumber;
      run.state = RunState.queued;
      this.writes.isLost = true;
      return;
    }
    const pieces = this.#decide(run, RunState.queued, null, GatewayErrors.uncertain);
    this.#runs.splice(this.#runs.indexOf(run, this.#head), 1, ...pieces);
  }

  /** A blocked read of a group; others repeat themselves without harm. */
  #mayHaveTaken(run: RequestRun): boolean {
    let isWrite = false;
    splitRequests(run, (request) => {
      isWrite = this.#mayWrite(run, request);
    });
    return isWrite;
  }

  #mayWrite(run: RequestRun, request: Request): boolean {
    return run.mode !== RequestMode.check && this.#core.isWrite(request);
  }

  /**
   * The run's requests as pieces: what is answered already is done; the others are, by read and write, left in `readState` or answered with
   * an error.
   */
  #decide(run: RequestRun, readState: RunState, readError: string | null, writeError: string): RequestRun[] {
    const pieces: RequestRun[] = [];
    let seen = 0;
    let from = run.start;
    let count = 0;
    let kind = -1;
    const close = (to: number): void => {
      if (count === 0) return;
      const piece = this.#piece(run, from, to, count);
      pieces.push(piece);
      if (kind === 0) {
        piece.early = run.early;
        piece.earlyCount = run.earlyCount;
        this.#finish(piece);
      } else if (kind === 2 || readError !== null) {
        this.#answerWith(piece, kind === 2 ? writeError : readError!);
      } else {
        piece.state = readState;
      }
      from = to;
      count = 0;
    };
    splitRequests(run, (request, start) => {
      let next = 0;
      if (seen++ >= run.answered) next = this.#mayWrite(run, request) ? 2 : 1;
      if (next !== kind) close(start);
      kind = next;
      count++;
      if (next === 2) this.writes.isLost = true;
    });
    close(run.end);
    return pieces;
  }

  #answerWith(run: RequestRun, error: string): void {
    this.#answerBytes(run, this.#core.errorReplies(error, run.count));
  }

  /** `bytes`: a reply for each request of the run. */
  #answerBytes(run: RequestRun, bytes: Uint8Array): void {
    if (run.early === null) run.early = [bytes];
    else run.early.push(bytes);
    run.earlyCount += run.count;
    this.#finish(run);
  }

  /**
   * Also of a blocking call: "timed out" would say that there was nothing to read, and nobody has looked (a consumer that asks for its history would
   * take a nil for "nothing pending").
   */
  #giveUpQueued(run: RequestRun): void {
    if (run.executedUpTo >= 0) this.#answerWith(run, GatewayErrors.uncertain);
    else this.#answerWith(run, this.waiting === Waiting.overload ? GatewayErrors.overloaded : GatewayErrors.noLeader);
  }

  /** The client is told now; the late replies will be dropped. Answers how many runs were inserted before what remains. */
  #abandon(i: number): number {
    const run = this.#runs[i]!;
    const pieces = this.#decide(run, RunState.queued, GatewayErrors.noAnswer, GatewayErrors.uncertain);
    run.slot = null;
    run.sink = null;
    run.early = null;
    this.#runs.splice(i, 0, ...pieces);
    this.#queuedFrom = this.#head;
    return pieces.length;
  }
}
