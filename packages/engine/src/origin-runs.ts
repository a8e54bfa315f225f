/**
 * The origin columns of an append run while it grows: sessions met, and runs of (session, consecutive sequences). Sessions are told apart by
 * the identity of their byte arrays: a lane keeps one for its life.
 */
import type { ByteWriter } from "@headrace/bytes";
import { NO_SESSION } from "./effect-format.ts";

export class OriginRuns {
  readonly #sessions: Uint8Array[];
  readonly #indexes: Map<Uint8Array, number>;
  readonly #runSessions: number[];
  readonly #runFirsts: number[];
  readonly #runCounts: number[];
  #lastSession: Uint8Array | null;
  #nextSequence: number;

  constructor() {
    this.#sessions = [];
    this.#indexes = new Map();
    this.#runSessions = [];
    this.#runFirsts = [];
    this.#runCounts = [];
    this.#lastSession = null;
    this.#nextSequence = 0;
  }

  /** No further session fits: the run must be closed. */
  get isFull(): boolean {
    return this.#sessions.length >= NO_SESSION - 1;
  }

  get byteLength(): number {
    return 6 + this.#sessions.length * 16 + this.#runSessions.length * 14;
  }

  clear(): void {
    if (this.#sessions.length > 1) this.#indexes.clear();
    this.#sessions.length = 0;
    this.#runSessions.length = 0;
    this.#runFirsts.length = 0;
    this.#runCounts.length = 0;
    this.#lastSession = null;
    this.#nextSequence = 0;
  }

  /** One more entry, by this session (null: nobody's). */
  note(session: Uint8Array | null, sequence: number): void {
    const last = this.#runCounts.length - 1;
    if (last >= 0 && session === this.#lastSession && (session === null || sequence === this.#nextSequence)) {
      this.#runCounts[last]!++;
      this.#nextSequence++;
      return;
    }
    this.#lastSession = session;
    this.#nextSequence = sequence + 1;
    this.#runSessions.push(session === null ? NO_SESSION : this.#indexOf(session));
    this.#runFirsts.push(sequence);
    this.#runCounts.push(1);
  }

  #indexOf(session: Uint8Array): number {
    const sessions = this.#sessions;
    if (sessions.length === 0) {
      // Most runs have one session only: the table waits for the second.
      sessions.push(session);
      return 0;
    }
    if (sessions[0] === session) return 0;
    let index = this.#indexes.get(session);
    if (index === undefined) {
      index = this.#sessions.length;
      this.#sessions.push(session);
      this.#indexes.set(session, index);
    }
    return index;
  }

  write(writer: ByteWriter): void {
    writer.u16(this.#sessions.length);
    for (const session of this.#sessions) writer.all(session);
    writer.u32(this.#runSessions.length);
    for (let i = 0; i < this.#runSessions.length; i++) {
      writer.u16(this.#runSessions[i]!);
      writer.f64(this.#runFirsts[i]!);
      writer.u32(this.#runCounts[i]!);
    }
  }
}
