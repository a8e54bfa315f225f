/**
 * WAIT and WAITAOF: when all earlier replies of the client are in, the leader of every shard that the client wrote to is asked how many
 * replicas have its last write there; the answer is the minimum. A client that wrote nothing is told about the replicas in contact.
 *
 * A leader that is gone or has moved is asked again at its new place until the deadline; then only what is known counts (0 for a shard that
 * did not answer). A write whose fate is unknown makes the answer -UNCERTAIN, never a number.
 */
import { Errors } from "@headrace/commands";
import { WaitKind, WaitOutcome } from "@headrace/link";
import type { WaitAnswerPayload } from "@headrace/link";
import type { Clock, Scheduler, Timer } from "@headrace/ports";
import type { ReplyWriter } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import { GatewayErrors } from "./errors.ts";
import type { LaneCore } from "./lane-core.ts";
import type { NodeLink } from "./node-link.ts";

/** Beyond the deadline, for answers that are on their way. */
const GRACE_MS = 100;
const RETRY_MS = 20;

export interface WaitRequest {
  readonly kind: WaitKind;
  readonly replicasWanted: number;
  /** 0: for ever. */
  readonly timeoutMs: number;
}

interface WaitPart {
  readonly shardId: number;
  readonly term: number;
  readonly index: number;
  query: number;
  link: NodeLink | null;
  answer: WaitAnswerPayload | null;
  retry: Timer | null;
}

export interface WaitWorld {
  readonly clock: Clock;
  readonly scheduler: Scheduler;
}

export interface WaitReplies {
  bytes(write: (reply: ReplyWriter) => void, version: 2 | 3): Uint8Array;
  /** Shards that a client which wrote nothing is told about. */
  shardIds(): readonly number[];
}

export class Waits {
  readonly #core: LaneCore;
  readonly #world: WaitWorld;
  readonly #replies: WaitReplies;
  readonly #calls: Set<WaitCall> = new Set();
  readonly #byQuery: Map<number, { call: WaitCall; part: WaitPart }> = new Map();
  #nextQuery: number = 1;

  constructor(core: LaneCore, world: WaitWorld, replies: WaitReplies) {
    this.#core = core;
    this.#world = world;
    this.#replies = replies;
  }

  /** Takes its place in the client's order; the client's later requests wait. */
  begin(client: ClientConnection, request: WaitRequest): void {
    const slot = client.reserve();
    client.barrier = true;
    client.session.blocked = true;
    const deliver = (reply: Uint8Array): void => {
      client.replies.deliver(slot, 1, reply, 0, reply.length);
      client.unblocked();
    };
    const start = (): void => this.#start(new WaitCall(client, request, deliver));
    // `reserve` has pushed the slot: it may be the first already.
    if (client.replies.outstanding === 1) start();
    else slot.onFirst = start;
  }

  /** Asks now, without a place in the order of replies: inside EXEC. */
  count(client: ClientConnection, request: WaitRequest, deliver: (reply: Uint8Array) => void): void {
    this.#start(new WaitCall(client, request, deliver));
  }

  onAnswer(answer: WaitAnswerPayload): void {
    const known = this.#byQuery.get(answer.query);
    if (known === undefined) return;
    this.#byQuery.delete(answer.query);
    const { call, part } = known;
    part.query = 0;
    if (answer.outcome === WaitOutcome.notLeader) {
      this.#askLater(call, part);
      return;
    }
    part.answer = answer;
    if (answer.outcome === WaitOutcome.uncertain) this.#finish(call, GatewayErrors.waitUncertain);
    else if (call.parts.every((one) => one.answer !== null)) this.#finish(call, null);
  }

  onLinkDown(link: NodeLink): void {
    for (const { call, part } of Array.from(this.#byQuery.values())) {
      if (part.link !== link) continue;
      this.#byQuery.delete(part.query);
      part.query = 0;
      this.#askLater(call, part);
    }
  }

  /** Queries at a node that stopped answering go to the shard's new leader. */
  sweep(nowMs: number): void {
    const { router, limits } = this.#core;
    for (const { call, part } of Array.from(this.#byQuery.values())) {
      const { link } = part;
      if (link === null || !router.isSuperseded(part.shardId, link, nowMs, limits.suspectMs)) continue;
      this.#byQuery.delete(part.query);
      part.query = 0;
      this.#askLater(call, part);
    }
  }

  /** CLIENT UNBLOCK. False: the client does not wait here. */
  unblock(client: ClientConnection, withError: boolean): boolean {
    for (const call of this.#calls) {
      if (call.client !== client) continue;
      this.#finish(call, withError ? Errors.unblocked : null);
      return true;
    }
    return false;
  }

  clientGone(client: ClientConnection): void {
    for (const call of Array.from(this.#calls)) if (call.client === client) this.#drop(call);
  }

  #start(call: WaitCall): void {
    this.#calls.add(call);
    let lost = false;
    for (const lane of call.client.lanes.values()) {
      const { writes } = lane;
      if (writes.isLost || writes.isCut) lost = true;
      for (const { term, index } of writes.earlier) call.parts.push(partOf(lane.shardId, term, index));
      if (writes.term > 0) call.parts.push(partOf(lane.shardId, writes.term, writes.index));
    }
    if (lost) {
      this.#finish(call, GatewayErrors.waitUncertain);
      return;
    }
    if (call.parts.length === 0) for (const id of this.#replies.shardIds()) call.parts.push(partOf(id, 0, 0));
    if (call.parts.length === 0) {
      this.#finish(call, GatewayErrors.noPlacement);
      return;
    }
    const { timeoutMs } = call.request;
    call.deadlineMs = timeoutMs === 0 ? Infinity : this.#world.clock.monotonicMs() + timeoutMs;
    call.heldUntilMs = this.#world.clock.monotonicMs() + this.#core.limits.holdMs;
    if (timeoutMs > 0) call.timer = this.#world.scheduler.after(timeoutMs + GRACE_MS, () => this.#finish(call, null));
    for (const part of call.parts) this.#ask(call, part);
  }

  #ask(call: WaitCall, part: WaitPart): void {
    part.retry = null;
    const nowMs = this.#world.clock.monotonicMs();
    if (nowMs >= call.deadlineMs) return;
    const link = this.#core.router.linkFor(part.shardId);
    if (link === null) {
      if (nowMs >= call.heldUntilMs) this.#finish(call, GatewayErrors.waitNoLeader);
      else this.#askLater(call, part);
      return;
    }
    call.heldUntilMs = nowMs + this.#core.limits.holdMs;
    part.link = link;
    part.query = this.#nextQuery;
    this.#nextQuery = (this.#nextQuery % 0xffffffff) + 1;
    this.#byQuery.set(part.query, { call, part });
    link.sendWaitQuery(part.shardId, call.client.laneId, {
      query: part.query,
      replicasWanted: Math.max(0, Math.min(call.request.replicasWanted, 0xffffffff)),
      kind: call.request.kind,
      term: part.term,
      index: part.index,
      timeoutMs: call.deadlineMs === Infinity ? 0 : Math.max(1, call.deadlineMs - nowMs),
    });
  }

  #askLater(call: WaitCall, part: WaitPart): void {
    part.retry = this.#world.scheduler.after(RETRY_MS, () => {
      if (this.#calls.has(call)) this.#ask(call, part);
    });
  }

  #finish(call: WaitCall, error: string | null): void {
    if (!this.#calls.has(call)) return;
    this.#drop(call);
    const { client, request } = call;
    if (error === GatewayErrors.waitUncertain) for (const lane of client.lanes.values()) lane.writes.forgetEarlier();
    const bytes = this.#replies.bytes((reply) => {
      if (error !== null) {
        reply.error(error);
        return;
      }
      const replicas = Math.min(...call.parts.map((part) => part.answer?.replicas ?? 0));
      if (request.kind === WaitKind.waitAof) {
        reply.array(2);
        reply.integer(call.parts.every((part) => part.answer?.localFsynced === true) ? 1 : 0);
      }
      reply.integer(replicas);
    }, client.session.respVersion);
    call.deliver(bytes);
  }

  #drop(call: WaitCall): void {
    this.#calls.delete(call);
    call.timer?.cancel();
    for (const part of call.parts) {
      part.retry?.cancel();
      if (part.query === 0) continue;
      this.#byQuery.delete(part.query);
      part.link?.sendWaitCancel(part.shardId, call.client.laneId, part.query);
    }
  }
}

class WaitCall {
  readonly client: ClientConnection;
  readonly request: WaitRequest;
  readonly deliver: (reply: Uint8Array) => void;
  readonly parts: WaitPart[] = [];
  deadlineMs: number = Infinity;
  /** Without a leader until then: an error. */
  heldUntilMs: number = 0;
  timer: Timer | null = null;

  constructor(client: ClientConnection, request: WaitRequest, deliver: (reply: Uint8Array) => void) {
    this.client = client;
    this.request = request;
    this.deliver = deliver;
  }
}

function partOf(shardId: number, term: number, index: number): WaitPart {
  return { shardId, term, index, query: 0, link: null, answer: null, retry: null };
}
