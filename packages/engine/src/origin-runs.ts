/**
 * The origin columns of an append run while it grows: sessions met, and runs of (session, consecutive sequences). Sessions are told apart by
 * the identity of their byte arrays: a lane keeps one for its life. Columns with counts, used again and again: an array that is emptied gives
 * its room back and takes it anew, four times for every run (5 % of an XADD when commands go to several streams in turn).
 */
import type { ByteWriter } from "@headrace/bytes";
import { NO_SESSION } from "./effect-format.ts";

const FIRST_CAPACITY = 16;

export class OriginRuns {
  /** Those at and behind #sessionCount are of runs before. */
  readonly #sessions: Uint8Array[];
  #sessionCount: number;
  /** Of all sessions but the first: most runs have one. */
  readonly #indexes: Map<Uint8Array, number>;
  #runSessions: Uint16Array;
  #runFirsts: Float64Array;
  #runCounts: Uint32Array;
  runCount: number;
  #lastSession: Uint8Array | null;
  #nextSequence: number;

  constructor() {
    this.#sessions = [];
    this.#sessionCount = 0;
    this.#indexes = new Map();
    this.#runSessions = new Uint16Array(FIRST_CAPACITY);
    this.#runFirsts = new Float64Array(FIRST_CAPACITY);
    this.#runCounts = new Uint32Array(FIRST_CAPACITY);
    this.runCount = 0;
    this.#lastSession = null;
    this.#nextSequence = 0;
  }

  /** No further session fits: the run must be closed. */
  get isFull(): boolean {
    return this.#sessionCount >= NO_SESSION - 1;
  }

  get byteLength(): number {
    return 6 + this.#sessionCount * 16 + this.runCount * 14;
  }

  clear(): void {
    if (this.#sessionCount > 1) this.#indexes.clear();
    // Sessions of closed lanes must not stay for ever; one is replaced soon.
    if (this.#sessions.length > FIRST_CAPACITY) this.#sessions.length = 0;
    this.#sessionCount = 0;
    this.runCount = 0;
    this.#lastSession = null;
    this.#nextSequence = 0;
  }

  /** One more entry, by this session (null: nobody's). */
  note(session: Uint8Array | null, sequence: number): void {
    const run = this.runCount;
    if (run > 0 && session === this.#lastSession && (session === null || sequence === this.#nextSequence)) {
      this.#runCounts[run - 1]!++;
      this.#nextSequence++;
      return;
    }
    if (run === this.#runCounts.length) this.#grow();
    this.#lastSession = session;
    this.#nextSequence = sequence + 1;
    this.#runSessions[run] = session === null ? NO_SESSION : this.#indexOf(session);
    this.#runFirsts[run] = sequence;
    this.#runCounts[run] = 1;
    this.runCount = run + 1;
  }

  /** Whose run number `run` is; null: nobody's. */
  sessionOf(run: number): Uint8Array | null {
    const index = this.#runSessions[run]!;
    return index === NO_SESSION ? null : this.#sessions[index]!;
  }

  lastSequenceOf(run: number): number {
    return this.#runFirsts[run]! + this.#runCounts[run]! - 1;
  }

  #indexOf(session: Uint8Array): number {
    const count = this.#sessionCount;
    if (count > 0 && this.#sessions[0] === session) return 0;
    const known = count > 1 ? this.#indexes.get(session) : undefined;
    if (known !== undefined) return known;
    this.#sessions[count] = session;
    this.#sessionCount = count + 1;
    if (count > 0) this.#indexes.set(session, count);
    return count;
  }

  #grow(): void {
    const capacity = this.#runCounts.length * 2;
    const sessions = new Uint16Array(capacity);
    sessions.set(this.#runSessions);
    const firsts = new Float64Array(capacity);
    firsts.set(this.#runFirsts);
    const counts = new Uint32Array(capacity);
    counts.set(this.#runCounts);
    this.#runSessions = sessions;
    this.#runFirsts = firsts;
    this.#runCounts = counts;
  }

  write(writer: ByteWriter): void {
    writer.u16(this.#sessionCount);
    for (let i = 0; i < this.#sessionCount; i++) writer.all(this.#sessions[i]!);
    writer.u32(this.runCount);
    for (let run = 0; run < this.runCount; run++) {
      writer.u16(this.#runSessions[run]!);
      writer.f64(this.#runFirsts[run]!);
      writer.u32(this.#runCounts[run]!);
    }
  }
}
