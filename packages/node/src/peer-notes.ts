/**
 * What the other nodes say of themselves in the head of every frame: their wall clock, and whether their disk is low on space. From it follow
 * the bound of this node's stamps and who is fit to lead.
 *
 * A frame that was under way for long makes its sender's clock look slow, never fast; so the greatest offset of the last moments counts. What a node has said
 * stays when contact is lost: a leader that is alone for a moment must not fall back on its own clock.
 */
import type { Clock } from "@headrace/ports";
import { CLOCK_TOLERANCE_MS, isClockOff, medianOffset } from "./clock-rule.ts";

/** The greatest offset of this window and the one before it. */
const WINDOW_MS = 1000;

/** What a node says of itself. */
export interface NodeNote {
  readonly wallMs: number;
  readonly isLowOnSpace: boolean;
}

class PeerNote {
  windowStartMs: number;
  /** Its wall clock minus this node's monotonic one. */
  offset: number;
  previousOffset: number;
  isLowOnSpace: boolean;

  constructor(nowMs: number, offset: number) {
    this.windowStartMs = nowMs;
    this.offset = offset;
    this.previousOffset = offset;
    this.isLowOnSpace = false;
  }
}

export class PeerNotes {
  readonly #nodeId: number;
  readonly #clock: Clock;
  readonly #notes: Map<number, PeerNote>;

  constructor(nodeId: number, clock: Clock) {
    this.#nodeId = nodeId;
    this.#clock = clock;
    this.#notes = new Map();
  }

  heard(nodeId: number, note: NodeNote): void {
    const nowMs = this.#clock.monotonicMs();
    const offset = note.wallMs - nowMs;
    let known = this.#notes.get(nodeId);
    if (known === undefined) {
      known = new PeerNote(nowMs, offset);
      this.#notes.set(nodeId, known);
    }
    const ageMs = nowMs - known.windowStartMs;
    if (ageMs >= WINDOW_MS) {
      known.previousOffset = ageMs < 2 * WINDOW_MS ? known.offset : offset;
      known.offset = offset;
      known.windowStartMs = nowMs;
    } else if (offset > known.offset) {
      known.offset = offset;
    }
    known.isLowOnSpace = note.isLowOnSpace;
  }

  /**
   * What a leader among these nodes may stamp at most, an integer; Infinity while no other clock is known. During a change of members a leader commits with
   * fewer than a quorum of all that are named, old and new ones: then those that are known have to do.
   */
  stampLimitMs(nodeIds: readonly number[]): number {
    const known = nodeIds.flatMap((nodeId) => this.#offset(nodeId) ?? []);
    const median = known.length < Math.min(2, nodeIds.length) ? null : medianOffset(known, known.length);
    if (median === null) return Number.POSITIVE_INFINITY;
    // Whole milliseconds, as every log time is; offsets are not, since the monotonic clock has fractions.
    return Math.floor(this.#clock.monotonicMs() + median + CLOCK_TOLERANCE_MS);
  }

  /** How far this node's clock is ahead of the median of these nodes'; 0 while too few are known. */
  aheadMs(nodeIds: readonly number[]): number {
    const median = this.#median(nodeIds);
    return median === null ? 0 : this.#ownOffset() - median;
  }

  /** Whether this node's clock is too far off for it to lead a group of these nodes. */
  isClockOff(nodeIds: readonly number[]): boolean {
    const others = nodeIds.filter((id) => id !== this.#nodeId).flatMap((id) => this.#offset(id) ?? []);
    return isClockOff(this.#ownOffset(), others, nodeIds.length);
  }

  /** Whether another node could lead a group of these nodes: heard of, with space, with a clock near the median. */
  isFit(nodeId: number, nodeIds: readonly number[]): boolean {
    const note = this.#notes.get(nodeId);
    if (note === undefined || note.isLowOnSpace) return false;
    const median = this.#median(nodeIds);
    return median === null || Math.abs(this.#offset(nodeId)! - median) <= CLOCK_TOLERANCE_MS;
  }

  #median(nodeIds: readonly number[]): number | null {
    const known: number[] = [];
    for (const nodeId of nodeIds) {
      const offset = this.#offset(nodeId);
      if (offset !== null) known.push(offset);
    }
    return medianOffset(known, nodeIds.length);
  }

  #ownOffset(): number {
    return this.#clock.wallMs() - this.#clock.monotonicMs();
  }

  #offset(nodeId: number): number | null {
    if (nodeId === this.#nodeId) return this.#ownOffset();
    const note = this.#notes.get(nodeId);
    return note === undefined ? null : Math.max(note.offset, note.previousOffset);
  }
}
