/**
 * Calls that wait for entries (XREAD BLOCK, XREADGROUP BLOCK) or elements (BLPOP, BZPOPMIN), and XADDs that are held at a limit of lag, in queues of their own: queues
 * per key in order of blocking, deadlines by the monotonic clock. A
 * call stands in the queues of all its keys, keeps its place while it runs again in vain, and its deadline counts from the first run.
 *
 * Leader-local and of one term (I13): on the loss of leadership all are handed back. It decides nothing about replies and runs no command.
 */
import { assert } from "@headrace/bytes";
import type { BlockedCall, CommandRecord } from "@headrace/commands";
import type { Scheduler, Timer } from "@headrace/ports";
import type { RequestMode } from "@headrace/link";
import { ClaimWakes } from "./claim-wakes.ts";
import type { LaneProgress } from "./lane-progress.ts";
import { Offers } from "./offers.ts";
import type { CancelHow } from "./shard-api.ts";

const NOBODY: ReadonlySet<string> = new Set();
/** Stands where calls have their group; names of groups are bytes, so none is called so. */
export const HELD_WRITES = "\u{2190}";

/** The queues of calls that take what a value of one kind has, which no consumer group can be called: for them they are what a group is, one finds nothing, all do. */
export const TAKERS = { list: "\u0100", zset: "\u0101" } as const;
const NOT_GROUPS: readonly string[] = ["", HELD_WRITES, ...Object.values(TAKERS)];

/** How a blocked call came to its end from outside. */
export const BlockedEnd = { none: -1, dropped: 0, timedOut: 1, unblocked: 2 } as const;
export type BlockedEnd = (typeof BlockedEnd)[keyof typeof BlockedEnd];

export class BlockedRead {
  readonly progress: LaneProgress;
  readonly laneEpoch: number;
  readonly number: number;
  readonly record: CommandRecord;
  /** The consumer group that it reads for, "" for a plain read, or one of TAKERS. */
  readonly group: string;
  readonly consumer: string;
  /** The call's own copy of its request: its frame is long gone when it runs again. */
  readonly request: Uint8Array;
  readonly mode: RequestMode;
  call: BlockedCall;
  timer: Timer | null;
  /** The offer that its gateway has not answered; 0: none. */
  offer: number;
  offerTimer: Timer | null;
  /** It has met blocks that are not in memory, and runs again when they have come. */
  isFetching: boolean;
  /** The offer that was accepted when it met them; 0: none was. */
  acceptedOffer: number;
  /** It is offered nothing until its gateway asks for it. */
  isPassedOver: boolean;
  /** Not `none`: waits for the next turn to be ended. */
  end: BlockedEnd;
  isQueued: boolean;

  constructor(progress: LaneProgress, laneEpoch: number, number: number, record: CommandRecord, waiting: WaitingCall) {
    this.progress = progress;
    this.laneEpoch = laneEpoch;
    this.number = number;
    this.record = record;
    this.group = waiting.group;
    this.consumer = waiting.consumer;
    this.request = waiting.request;
    this.mode = waiting.mode;
    this.call = waiting.call;
    this.timer = null;
    this.offer = 0;
    this.offerTimer = null;
    this.isFetching = false;
    this.acceptedOffer = 0;
    this.isPassedOver = false;
    this.end = BlockedEnd.none;
    this.isQueued = true;
  }

  /** What there is may be for it: nobody behind it in the queues of its group is served before that is known. */
  get holdsUpOthers(): boolean {
    return this.offer !== 0 || (this.isFetching && !this.isPassedOver);
  }

  /** A held XADD: it is run once more when its time is over. */
  get isWrite(): boolean {
    return this.call.kind === "write";
  }

  get claims(): boolean {
    return this.call.claimMinIdleMs >= 0;
  }

  /** From where it reads, as the caller would write it; empty when its request says so itself. */
  positions(): readonly string[] {
    const { readsFromState, resolvedIds } = this.call;
    return readsFromState ? resolvedIds.map((id) => id!.toString()) : [];
  }
}

export interface WaitingCall {
  readonly group: string;
  readonly consumer: string;
  readonly request: Uint8Array;
  readonly mode: RequestMode;
  readonly call: BlockedCall;
}

/** What the queues ask of the state. */
export interface KeyWatcher {
  watchKey(key: string): void;
  unwatchKey(key: string): void;
}

export class BlockedReads {
  readonly offers: Offers;
  readonly claimWakes: ClaimWakes;
  readonly #scheduler: Scheduler;
  readonly #wake: () => void;
  /** By key, then by group: when one caller of a group finds nothing, the others of that group need not look. */
  readonly #byKey: Map<string, Map<string, Set<BlockedRead>>>;
  #ended: BlockedRead[];
  #count: number;
  #heldWriteCount: number;
  #heldWriteBytes: number;
  #claimingCount: number;
  #fetchingCount: number;

  /** `wake`: a call has come to its end; take it with `takeEnded` in the next turn. */
  constructor(scheduler: Scheduler, wake: () => void) {
    this.offers = new Offers(scheduler, wake);
    this.claimWakes = new ClaimWakes(scheduler, wake);
    this.#scheduler = scheduler;
    this.#wake = wake;
    this.#byKey = new Map();
    this.#ended = [];
    this.#count = 0;
    this.#heldWriteCount = 0;
    this.#heldWriteBytes = 0;
    this.#claimingCount = 0;
    this.#fetchingCount = 0;
  }

  get count(): number {
    return this.#count;
  }

  /** XADDs that are held, and their own copies of their requests. */
  get heldWriteCount(): number {
    return this.#heldWriteCount;
  }

  get heldWriteBytes(): number {
    return this.#heldWriteBytes;
  }

  /** Keys with calls that wait. */
  get keyCount(): number {
    return this.#byKey.size;
  }

  /** Of them those with a call for a group. */
  get groupKeyCount(): number {
    let count = 0;
    for (const groups of this.#byKey.values()) {
      const others = NOT_GROUPS.filter((name) => groups.has(name)).length;
      if (groups.size > others) count++;
    }
    return count;
  }

  /** Calls with CLAIM among them. */
  get claimingCount(): number {
    return this.#claimingCount;
  }

  /** The lane's call goes to the end of its keys' queues. */
  add(blocked: BlockedRead, watcher: KeyWatcher): void {
    assert(blocked.progress.blocked === null, "a lane blocks on one call at a time");
    blocked.progress.blocked = blocked;
    this.#count++;
    if (blocked.claims) this.#claimingCount++;
    if (blocked.isWrite) {
      this.#heldWriteCount++;
      this.#heldWriteBytes += blocked.request.length;
    }
    for (const key of blocked.call.keys) {
      const queue = this.#madeQueue(key, blocked.group);
      if (queue.has(blocked)) continue;
      queue.add(blocked);
      watcher.watchKey(key);
    }
    const { timeoutMs } = blocked.call;
    if (timeoutMs <= 0) return;
    blocked.timer = this.#scheduler.after(timeoutMs, () => this.#end(blocked, BlockedEnd.timedOut));
  }

  /** Served, ended or handed back: out of all queues. */
  remove(blocked: BlockedRead, watcher: KeyWatcher): void {
    if (!blocked.isQueued) return;
    blocked.isQueued = false;
    blocked.timer?.cancel();
    this.offers.close(blocked);
    this.fetched(blocked);
    this.#count--;
    if (blocked.claims) this.#claimingCount--;
    if (blocked.isWrite) {
      this.#heldWriteCount--;
      this.#heldWriteBytes -= blocked.request.length;
    }
    assert(blocked.progress.blocked === blocked, "the lane's blocked call");
    blocked.progress.blocked = null;
    for (const key of blocked.call.keys) {
      const groups = this.#byKey.get(key);
      const queue = groups?.get(blocked.group);
      if (groups === undefined || queue === undefined || !queue.delete(blocked)) continue;
      watcher.unwatchKey(key);
      if (queue.size === 0) groups.delete(blocked.group);
      if (groups.size > 0) continue;
      this.#byKey.delete(key);
      this.claimWakes.forget(key);
    }
  }

  /** It waits for blocks. */
  fetching(blocked: BlockedRead): void {
    if (!blocked.isFetching) this.#fetchingCount++;
    blocked.isFetching = true;
  }

  /** It waits for blocks no longer. */
  fetched(blocked: BlockedRead): void {
    if (blocked.isFetching) this.#fetchingCount--;
    blocked.isFetching = false;
  }

  /** The queues of the key by group, the longest waiting first. Calls may be removed while they are walked. */
  queues(key: string): Iterable<readonly [group: string, queue: ReadonlySet<BlockedRead>]> {
    return this.#byKey.get(key) ?? [];
  }

  /** Who of the group's consumers waits for the key. */
  consumers(key: string, group: string): ReadonlySet<string> {
    const waiting = this.queue(key, group);
    return waiting === null ? NOBODY : new Set([...waiting].map(({ consumer }) => consumer));
  }

  /** The queue of one group for the key; null: nobody waits. */
  queue(key: string, group: string): ReadonlySet<BlockedRead> | null {
    return this.#byKey.get(key)?.get(group) ?? null;
  }

  /** Whether what there is in this queue may be for somebody who waits there before this call; null: a call that does not wait yet. */
  isHeldUp(key: string, group: string, call: BlockedCall | null): boolean {
    if (this.offers.openCount === 0 && this.#fetchingCount === 0) return false;
    for (const waiting of this.queue(key, group) ?? []) {
      if (waiting.call === call) return false;
      if (waiting.holdsUpOthers) return true;
    }
    return false;
  }

  /** Ends the lane's call `number` in the next turn, or, when it is still to be executed, as soon as it blocks. */
  cancel(progress: LaneProgress, number: number, how: CancelHow): void {
    const blocked = progress.blocked;
    progress.ended = { number, how };
    if (blocked !== null && blocked.number === number) this.#end(blocked, how);
  }

  /** Every held write has had its time. */
  endHeldWrites(): void {
    for (const groups of this.#byKey.values()) {
      for (const held of groups.get(HELD_WRITES) ?? []) this.#end(held, BlockedEnd.timedOut);
    }
  }

  /** Calls that have come to their end since the last call, in that order. */
  takeEnded(): readonly BlockedRead[] {
    if (this.#ended.length === 0) return this.#ended;
    const ended = this.#ended;
    this.#ended = [];
    return ended;
  }

  /** All calls, in order of blocking per key, to be handed back: what was to be done with them is not done any more. */
  takeAll(watcher: KeyWatcher): readonly BlockedRead[] {
    const found = new Set<BlockedRead>();
    for (const groups of this.#byKey.values()) {
      for (const queue of groups.values()) for (const blocked of queue) found.add(blocked);
    }
    for (const blocked of found) this.remove(blocked, watcher);
    this.#ended = [];
    this.offers.take();
    this.claimWakes.takeDue();
    return [...found];
  }

  #madeQueue(key: string, group: string): Set<BlockedRead> {
    let groups = this.#byKey.get(key);
    if (groups === undefined) this.#byKey.set(key, (groups = new Map()));
    let queue = groups.get(group);
    if (queue === undefined) groups.set(group, (queue = new Set()));
    return queue;
  }

  #end(blocked: BlockedRead, how: BlockedEnd): void {
    if (!blocked.isQueued || blocked.end !== BlockedEnd.none) return;
    blocked.end = how;
    this.#ended.push(blocked);
    this.#wake();
  }
}
