/**
 * What one connection has queued since MULTI, and what it watches: Redis' states and checks, without routing. Whoever serves the connection (a
 * gateway, a harness) keeps one and carries out what it holds.
 *
 *   MULTI ─► open ─► commands are queued; one that is refused spoils it ─► EXEC (refused when spoiled) or DISCARD ─► closed, nothing watched
 *
 * All keys of what is queued and watched lie in one slot, since a transaction is one entry of one shard's log (I14).
 */
import { slotOf } from "@headrace/bytes";
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";
import { Errors } from "../errors.ts";
import { findKeys } from "../keys.ts";

export interface QueuedCommand {
  readonly record: CommandRecord;
  /** One whole canonical request. */
  readonly bytes: Uint8Array;
}

/** What EXEC has to carry out. */
export interface TakenTransaction {
  readonly queued: readonly QueuedCommand[];
  /** WATCH calls; 0: nothing is watched. */
  readonly watchCalls: number;
  /** Of all its keys; NO_SLOT: it has none. */
  readonly slot: number;
}

/** Inside MULTI these act at once (WATCH is refused); the others are queued. */
const NEVER_QUEUED: ReadonlySet<string> = new Set(["discard", "exec", "multi", "quit", "reset", "watch"]);

export function isQueuedInMulti(record: CommandRecord): boolean {
  return !NEVER_QUEUED.has(record.name);
}

export const NO_SLOT = -1;
export const MANY_SLOTS = -2;

const positions: number[] = [];

/** The one slot of a request's keys; NO_SLOT when its syntax shows none. */
export function slotOfKeys(record: CommandRecord, request: Request): number {
  const found = findKeys(record, request, positions);
  let slot = NO_SLOT;
  for (let i = 0; i < found; i++) {
    const at = positions[i]!;
    const one = slotOf(request.bytes, request.start(at), request.end(at));
    if (slot >= 0 && one !== slot) return MANY_SLOTS;
    slot = one;
  }
  return slot;
}

/** What a queued command costs beside its bytes. */
const QUEUED_BYTES = 64;

export class Transaction {
  /** MULTI was said. Every request of a connection looks here. */
  isOpen: boolean;
  /** Something was refused: EXEC will be. */
  isSpoiled: boolean;
  /** WATCH calls since the last EXEC, DISCARD or UNWATCH. */
  watchCalls: number;
  /** Of the watched keys; NO_SLOT: none. */
  watchSlot: number;
  /** Of requests and names kept here. */
  bytes: number;
  #queued: QueuedCommand[];
  #slot: number;
  #watched: Set<string> | null;

  constructor() {
    this.isOpen = false;
    this.isSpoiled = false;
    this.watchCalls = 0;
    this.watchSlot = NO_SLOT;
    this.bytes = 0;
    this.#queued = [];
    this.#slot = NO_SLOT;
    this.#watched = null;
  }

  get queuedCount(): number {
    return this.#queued.length;
  }

  get watchedCount(): number {
    return this.#watched === null ? 0 : this.#watched.size;
  }

  /** Something queued may change what is stored. */
  get hasWrites(): boolean {
    return this.#queued.some(({ record }) => (record.flags & Flag.write) !== 0);
  }

  begin(): void {
    this.isOpen = true;
  }

  /** A command was refused before it could be queued. */
  spoil(): void {
    if (this.isOpen) this.isSpoiled = true;
  }

  /** Whether keys of this slot may join what is here. */
  fitsSlot(slot: number): boolean {
    if (slot === MANY_SLOTS) return false;
    const known = this.#slot >= 0 ? this.#slot : this.watchSlot;
    return known < 0 || slot < 0 || known === slot;
  }

  /** Whether so many bytes more stay within the limit. */
  fitsBytes(bytes: number, maxBytes: number): boolean {
    return this.bytes + bytes + QUEUED_BYTES <= maxBytes;
  }

  queue(record: CommandRecord, bytes: Uint8Array, slot: number): void {
    this.#queued.push({ record, bytes });
    this.bytes += bytes.length + QUEUED_BYTES;
    if (slot >= 0) this.#slot = slot;
  }

  watch(keys: readonly string[], slot: number): void {
    this.#watched ??= new Set();
    this.watchCalls++;
    this.watchSlot = slot;
    for (const key of keys) {
      if (this.#watched.has(key)) continue;
      this.#watched.add(key);
      this.bytes += key.length + QUEUED_BYTES;
    }
  }

  /** UNWATCH. What is queued stays. */
  forgetWatches(): void {
    if (this.#watched === null) return;
    for (const key of this.#watched) this.bytes -= key.length + QUEUED_BYTES;
    this.#watched = null;
    this.watchCalls = 0;
    this.watchSlot = NO_SLOT;
  }

  /** Why EXEC can't be carried out; null: it can. */
  refusal(): string | null {
    if (!this.isOpen) return Errors.execWithoutMulti;
    return this.isSpoiled ? Errors.execAbort : null;
  }

  /** EXEC: what is to be done; the connection is as before MULTI and WATCH. */
  take(): TakenTransaction {
    const slot = this.#slot >= 0 ? this.#slot : this.watchSlot;
    const taken = { queued: this.#queued, watchCalls: this.watchCalls, slot };
    // Empty or not: the next MULTI may begin before this one is answered.
    this.#queued = [];
    this.close();
    return taken;
  }

  /** DISCARD, RESET, or an EXEC that was refused. */
  close(): void {
    this.isOpen = false;
    this.isSpoiled = false;
    if (this.#queued.length > 0) this.#queued = [];
    this.#slot = NO_SLOT;
    this.forgetWatches();
    this.bytes = 0;
  }
}
