/**
 * Which session's writes are in the state: session (16 opaque bytes, here a latin1 string) → highest sequence and the log time of its last
 * write. Least recently written first; beyond the bound the oldest go, on every replica alike because only logged effects come here.
 */
export const ORIGIN_SESSIONS_MAX = 8192;

export interface OriginRecord {
  sequence: number;
  lastWriteMs: number;
}

export class Origins {
  readonly #sessions: Map<string, OriginRecord>;
  /** The last of the map: a lane writes many times in a row. */
  #newest: OriginRecord | null;
  #newestSession: string;

  constructor() {
    this.#sessions = new Map();
    this.#newest = null;
    this.#newestSession = "";
  }

  get size(): number {
    return this.#sessions.size;
  }

  clear(): void {
    this.#sessions.clear();
    this.#newest = null;
    this.#newestSession = "";
  }

  record(session: string, sequence: number, logTimeMs: number): void {
    const newest = this.#newest;
    if (newest !== null && session === this.#newestSession) {
      // It stands at the end already.
      if (sequence > newest.sequence) newest.sequence = sequence;
      newest.lastWriteMs = logTimeMs;
      return;
    }
    let found = this.#sessions.get(session);
    if (found === undefined) {
      found = { sequence, lastWriteMs: logTimeMs };
      if (this.#sessions.size >= ORIGIN_SESSIONS_MAX) {
        for (const oldest of this.#sessions.keys()) {
          this.#sessions.delete(oldest);
          break;
        }
      }
    } else {
      this.#sessions.delete(session);
      if (sequence > found.sequence) found.sequence = sequence;
      found.lastWriteMs = logTimeMs;
    }
    this.#sessions.set(session, found);
    this.#newest = found;
    this.#newestSession = session;
  }

  /** Highest sequence of the session that is in the state, 0: none is, Infinity: one may have been, and was forgotten. */
  lastSequence(session: string): number {
    const found = this.#sessions.get(session);
    if (found !== undefined) return found.sequence;
    return this.#sessions.size < ORIGIN_SESSIONS_MAX ? 0 : Infinity;
  }

  /** In order of age, for captures and hashes. */
  entries(): IterableIterator<[string, OriginRecord]> {
    return this.#sessions.entries();
  }
}
