/**
 * A SegmentDisk in memory for tests, pumped by hand: an operation takes effect and completes in its own `step`. `crash` is a power cut: of
 * every 512-byte sector written and not synced either the old or the new content is left, by the seed; the write in flight counts too.
 */
import { copyInto } from "@headrace/bytes";
import type { Done, FailureReason, Result, SegmentDisk, SegmentInfo } from "@headrace/ports";

const SECTOR_BYTES = 512;

interface Segment {
  /** What survives a power cut for sure. */
  medium: Uint8Array;
  /** What the operating system shows. */
  cached: Uint8Array;
}

interface Operation {
  readonly name: "list" | "create" | "read" | "write" | "sync" | "remove" | "close";
  readonly run: () => void;
  /** A write that is cut off while in flight has partly happened. */
  readonly runPartly: () => void;
  readonly fail: (reason: FailureReason, message: string) => void;
}

/** Deterministic and small: tests print the seed. */
export function seededBits(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

export class MemoryDisk implements SegmentDisk {
  readonly #segments: Map<number, Segment> = new Map();
  #operations: Operation[] = [];
  /** Operations that had an effect on the medium, to place crashes. */
  steps = 0;
  readonly log: string[] = [];
  /** When set, the next operation of this name fails. */
  failNext: { readonly name: Operation["name"]; readonly reason: FailureReason } | null = null;

  /** Takes the content over, as a machine that starts again does; what was queued is gone. */
  static from(segments: Iterable<readonly [number, Uint8Array]>): MemoryDisk {
    const disk = new MemoryDisk();
    for (const [sequence, bytes] of segments) {
      disk.#segments.set(sequence, { medium: bytes.slice(), cached: bytes.slice() });
    }
    return disk;
  }

  /** What the operating system shows now: what a killed process leaves. */
  content(): Map<number, Uint8Array> {
    return new Map([...this.#segments].map(([sequence, segment]) => [sequence, segment.cached.slice()]));
  }

  get pending(): number {
    return this.#operations.length;
  }

  /** Runs the oldest operation; false when there is none. */
  step(): boolean {
    const operation = this.#operations.shift();
    if (operation === undefined) return false;
    this.steps++;
    this.log.push(operation.name);
    const failure = this.failNext;
    if (failure !== null && failure.name === operation.name) {
      this.failNext = null;
      operation.fail(failure.reason, `injected ${failure.reason}`);
    } else operation.run();
    return true;
  }

  /** A killed process: what it had queued is gone, but a new process on this disk still sees what the operating system has. */
  kill(): void {
    this.#operations = [];
  }

  /** The content after a power cut at this moment. */
  crash(seed: number): Map<number, Uint8Array> {
    const bits = seededBits(seed);
    const inFlight = this.#operations;
    this.#operations = [];
    for (const operation of inFlight) operation.runPartly();
    const left = new Map<number, Uint8Array>();
    for (const [sequence, { medium, cached }] of this.#segments) {
      const bytes = medium.slice();
      for (let at = 0; at < bytes.length; at += SECTOR_BYTES) {
        if (bits() & 0x10000) bytes.set(cached.subarray(at, at + SECTOR_BYTES), at);
      }
      left.set(sequence, bytes);
    }
    return left;
  }

  list(done: Done<readonly SegmentInfo[]>): void {
    this.#queue("list", done, () => {
      const all = [...this.#segments].map(([sequence, { cached }]) => ({ sequence, sizeBytes: cached.length }));
      return ok(all.toSorted((a, b) => a.sequence - b.sequence));
    });
  }

  create(sequence: number, sizeBytes: number, done: Done<void>): void {
    this.#queue("create", done, () => {
      this.#segments.set(sequence, { medium: new Uint8Array(sizeBytes), cached: new Uint8Array(sizeBytes) });
      return ok(undefined);
    });
  }

  read(
    sequence: number,
    offsetBytes: number,
    lengthBytes: number,
    done: Done<Uint8Array>,
    memory: Uint8Array | null = null,
  ): void {
    this.#queue("read", done, () => {
      const segment = this.#segments.get(sequence);
      if (segment === undefined) return missing(sequence);
      const bytes = segment.cached.subarray(offsetBytes, offsetBytes + lengthBytes);
      return ok(copyInto(memory, bytes));
    });
  }

  write(
    sequence: number,
    offsetBytes: number,
    chunks: readonly Uint8Array[],
    durable: boolean,
    done: Done<void>,
  ): void {
    const apply = (both: boolean): Result<void> => {
      const segment = this.#segments.get(sequence);
      if (segment === undefined) return missing(sequence);
      let at = offsetBytes;
      for (const chunk of chunks) {
        segment.cached.set(chunk, at);
        if (both) segment.medium.set(chunk, at);
        at += chunk.length;
      }
      return ok(undefined);
    };
    this.#queue(
      "write",
      done,
      () => apply(durable),
      () => void apply(false),
    );
  }

  sync(sequence: number, done: Done<void>): void {
    this.#queue("sync", done, () => {
      const segment = this.#segments.get(sequence);
      if (segment === undefined) return missing(sequence);
      segment.medium = segment.cached.slice();
      return ok(undefined);
    });
  }

  remove(sequence: number, done: Done<void>): void {
    this.#queue("remove", done, () => (this.#segments.delete(sequence) ? ok(undefined) : missing(sequence)));
  }

  close(done: Done<void>): void {
    this.#queue("close", done, () => ok(undefined));
  }

  #queue<T>(name: Operation["name"], done: Done<T>, effect: () => Result<T>, runPartly: () => void = () => {}): void {
    this.#operations.push({
      name,
      run: () => done(effect()),
      runPartly,
      fail: (reason, message) => done({ ok: false, reason, message }),
    });
  }
}

function ok<T>(value: T): Result<T> {
  return { ok: true, value };
}

function missing(sequence: number): { ok: false; reason: "missing"; message: string } {
  return { ok: false, reason: "missing", message: `no segment ${sequence}` };
}
