/**
 * One memory budget for all that a node holds. Who holds something says how much at the end of its turn; when the sum is above the budget, blocks whose
 * rows are in the store leave memory and small streams are packed, those that were used longest ago first, a bounded number of bytes a turn, of each shard by
 * its share of all that could go.
 * What may queue up on the way shrinks with the budget (shard-limits.ts). When nothing is left that could go, and what can't go fills most of it,
 * writes that grow it are refused. Without a budget no entry leaves and nothing is refused; only small streams are packed when there are very many of them,
 * since a heap of gigabytes stands still for seconds when it is collected (bench/results/engine-memory.txt).
 *
 * Must not know: what a shard is, where anything is stored.
 */
import { BlockBytes } from "@headrace/engine";
import { ColdTraffic } from "./cold-traffic.ts";
import type { ShardLimits } from "./shard-api.ts";
import { coldRoomWithin, limitsWithin } from "./shard-limits.ts";

const MIB = 1024 * 1024;
/** In one turn: some hundred blocks, well below a millisecond; or some two thousand small streams, a few milliseconds. */
const EVICT_BYTES_MAX = 4 * MIB;
/**
 * Of streams that are not packed, where there is no budget: about sixty thousand. Where twice as many stay, a million fields of hashes of ten take 2.04 times
 * Redis' memory, not 1.9 times (bench/results/value-memory.txt).
 */
const UNPACKED_BYTES_MAX = 128 * MIB;
/** So much of the budget stays for what is on its way and for blocks in use: what can't leave memory may not fill it. */
const KEPT_SHARE = 1 / 4;

/**
 * What the process holds beyond each byte that somebody holds: buffers that the collector has not come to yet, and holes that the allocator keeps. Measured
 * under full load and over starts in bench/results/tiers-heap.txt; two fifths leave what a node is allowed beyond its budget some room.
 */
export const HEAP_SLACK: number = 2 / 5;

/** What somebody holds. */
export interface HeldBytes {
  /** Bytes of all that it holds now, and of them those that stay as long as what they are about. */
  readonly memoryBytes: number;
  readonly fixedBytes: number;
  /** Bytes of entries, and of streams that are not packed: what could go, sooner or later. */
  readonly blockBytes: number;
  readonly packableBytes: number;
}

/** Who holds memory: a replica of a shard. */
export interface MemoryUser extends HeldBytes {
  /** Gives up that much or all that may go; answers how much. */
  evict(bytes: number): number;
  /** The same of small streams alone. */
  pack(bytes: number): number;
}

const NOTHING: HeldBytes = { memoryBytes: 0, fixedBytes: 0, blockBytes: 0, packableBytes: 0 };

export interface MemoryStatus {
  readonly budgetBytes: number;
  readonly usedBytes: number;
  readonly fixedBytes: number;
  readonly blockBytes: number;
  readonly otherBytes: number;
  readonly isFull: boolean;
  readonly evictedBytes: number;
  readonly cold: {
    /** Times that a command waited, and commands that wait now. */
    readonly waits: number;
    readonly waiting: number;
    readonly blocksRead: number;
    readonly blocksAhead: number;
    readonly readsNow: number;
    readonly underWay: number;
  };
}

/** What is known of a user. */
class Share {
  usedBytes = 0;
  fixedBytes = 0;
  blockBytes = 0;
  packableBytes = 0;
}

export interface MemoryBudgetHost {
  /** Bytes that no shard holds: what links have buffered, what the store keeps for itself, what comes on top of the shards' bytes. Asked at the end of a turn. */
  otherBytes(heldBytes: number): number;
  /** Writes that grow memory are refused from now on, or no more. */
  onFull(isFull: boolean): void;
}

export class MemoryBudget {
  /** Of all shards of the node; one object for its life. */
  readonly limits: ShardLimits;
  readonly traffic: ColdTraffic = new ColdTraffic();
  /** What blocks gave up, for those of all shards. */
  readonly blockMemory: BlockBytes = new BlockBytes();
  /** Given up since the start. */
  evictedBytes = 0;
  readonly #given: ShardLimits;
  readonly #host: MemoryBudgetHost;
  readonly #users: Map<MemoryUser, Share> = new Map();
  #budgetBytes = 0;
  #usedBytes = 0;
  #fixedBytes = 0;
  #blockBytes = 0;
  #packableBytes = 0;
  #otherBytes = 0;
  #isFull = false;

  /** `given`: the bounds of a shard that no budget narrows. */
  constructor(given: ShardLimits, host: MemoryBudgetHost) {
    this.limits = { ...given };
    this.#given = given;
    this.#host = host;
  }

  /** 0: none. */
  get budgetBytes(): number {
    return this.#budgetBytes;
  }

  set budgetBytes(bytes: number) {
    if (bytes === this.#budgetBytes) return;
    this.#budgetBytes = bytes;
    this.#fit();
  }

  get usedBytes(): number {
    return this.#usedBytes + this.#otherBytes;
  }

  get fixedBytes(): number {
    return this.#fixedBytes;
  }

  get blockBytes(): number {
    return this.#blockBytes;
  }

  get otherBytes(): number {
    return this.#otherBytes;
  }

  /** Growing writes are refused. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** What the user holds, as it is now. */
  note(user: MemoryUser): void {
    let share = this.#users.get(user);
    if (share === undefined) {
      this.#users.set(user, (share = new Share()));
      this.#fit();
    }
    this.#take(share, user);
  }

  /** It is gone, and so is what it held. */
  forget(user: MemoryUser): void {
    const share = this.#users.get(user);
    if (share === undefined) return;
    this.#take(share, NOTHING);
    this.#users.delete(user);
    this.#fit();
  }

  /** Once a turn, when everybody has said what they hold. */
  endTurn(): void {
    this.#otherBytes = this.#host.otherBytes(this.#usedBytes);
    if (this.#budgetBytes === 0) this.#pack(Math.min(this.#packableBytes - UNPACKED_BYTES_MAX, EVICT_BYTES_MAX));
    const overBytes = this.#budgetBytes === 0 ? 0 : this.usedBytes - this.#budgetBytes;
    const freedBytes = overBytes > 0 ? this.evict(Math.min(overBytes, EVICT_BYTES_MAX)) : 0;
    const isCrowded = this.#fixedBytes > this.#budgetBytes * (1 - KEPT_SHARE);
    const isFull = overBytes > 0 && freedBytes === 0 && isCrowded;
    if (isFull === this.#isFull) return;
    this.#isFull = isFull;
    this.#host.onFull(isFull);
  }

  /** Between turns. Answers how many bytes became free; that is about as much as was asked for if there is as much that may go. */
  evict(bytes: number): number {
    const allBytes = this.#blockBytes + this.#packableBytes;
    if (allBytes <= 0) return 0;
    let freedBytes = 0;
    for (const [user, share] of this.#users) {
      const shareBytes = share.blockBytes + share.packableBytes;
      if (shareBytes === 0) continue;
      freedBytes += user.evict(Math.ceil((bytes * shareBytes) / allBytes));
      this.note(user);
    }
    this.evictedBytes += freedBytes;
    return freedBytes;
  }

  #pack(bytes: number): void {
    if (bytes <= 0) return;
    const allBytes = this.#packableBytes;
    for (const [user, share] of this.#users) {
      if (share.packableBytes === 0) continue;
      user.pack(Math.ceil((bytes * share.packableBytes) / allBytes));
      this.note(user);
    }
  }

  /** Bytes by what they are for, and what was done about them since the start. */
  status(): MemoryStatus {
    const { traffic, evictedBytes, usedBytes, fixedBytes, budgetBytes, isFull } = this;
    const { waits, blocksRead, blocksAhead, readsNow, underWay, count } = traffic;
    return {
      budgetBytes,
      usedBytes,
      fixedBytes,
      blockBytes: this.#blockBytes,
      otherBytes: this.#otherBytes,
      isFull,
      evictedBytes,
      cold: { waits, waiting: count, blocksRead, blocksAhead, readsNow, underWay },
    };
  }

  #take(share: Share, { memoryBytes, fixedBytes, blockBytes, packableBytes }: HeldBytes): void {
    this.#usedBytes += memoryBytes - share.usedBytes;
    this.#fixedBytes += fixedBytes - share.fixedBytes;
    this.#blockBytes += blockBytes - share.blockBytes;
    this.#packableBytes += packableBytes - share.packableBytes;
    share.usedBytes = memoryBytes;
    share.fixedBytes = fixedBytes;
    share.blockBytes = blockBytes;
    share.packableBytes = packableBytes;
  }

  #fit(): void {
    Object.assign(this.limits, limitsWithin(this.#given, this.#budgetBytes, this.#users.size));
    this.traffic.roomBytes = coldRoomWithin(this.#budgetBytes);
  }
}
