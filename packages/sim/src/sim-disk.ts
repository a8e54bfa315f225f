/**
 * Simulated durable things of one machine: log segments, the ordered store, small records. They outlive the process.
 *
 * Crash model: a kill keeps what the operating system has; a power cut keeps what was synced and, of every write that was not, each piece of
 * 512 bytes by itself: kept or lost, in any order (reference §4.2). A batch of the ordered store is atomic: in flight it is there or not.
 */
import { assert, compareBytes, copyInto, copyOf, latin1, withRest } from "@headrace/bytes";
import type {
  Done,
  KvChange,
  KvRow,
  KvSnapshot,
  KvStore,
  RecordStore,
  Result,
  SegmentDisk,
  SegmentInfo,
  SpaceProbe,
} from "@headrace/ports";
import { DiskFaults } from "./disk-faults.ts";
import type { EventLoop, Life } from "./event-loop.ts";
import type { SeededRandom } from "./seeded-random.ts";

const SECTOR_BYTES = 512;
/** What the file system says is left while it is not full. */
const PLENTY_BYTES = 1e12;

interface UnsyncedWrite {
  readonly offset: number;
  readonly bytes: Uint8Array;
  /** The operating system has it; else it is still on its way there. */
  arrived: boolean;
}

interface Segment {
  /** What survives a power cut for sure. */
  durable: Uint8Array;
  /** What a reader sees. */
  current: Uint8Array;
  unsynced: UnsyncedWrite[];
}

/** Delays of the simulated disk. */
export interface DiskTimes {
  readonly writeMinMs: number;
  readonly writeMaxMs: number;
}

export class SimMachineDisk {
  readonly segments: Map<number, Segment> = new Map();
  readonly records: Map<string, Uint8Array> = new Map();
  /** Sorted by latin1 key: bytewise order. */
  rows: Map<string, Uint8Array> = new Map();
  sortedKeys: string[] | null = null;
  times: DiskTimes = { writeMinMs: 0.05, writeMaxMs: 0.6 };
  readonly faults: DiskFaults = new DiskFaults();
  /** Writes called and not completed, a queue for each adapter: at a crash a prefix of each queue has happened. */
  readonly inFlight: Set<((random: SeededRandom) => void)[]> = new Set();

  /** In the ordered store. */
  get storedBytes(): number {
    let bytes = 0;
    for (const [key, value] of this.rows) bytes += key.length + value.length;
    return bytes;
  }

  /** The process was killed, the machine goes on: what the operating system had is there. In-flight writes may or may not have arrived. */
  kill(random: SeededRandom): void {
    this.#applySome(random);
    // What did not arrive never will: it must not turn up again at a later power cut.
    for (const segment of this.segments.values()) {
      segment.unsynced = segment.unsynced.filter((write) => write.arrived);
    }
  }

  /** The machine lost power. */
  powerCut(random: SeededRandom): void {
    this.#applySome(random);
    for (const segment of this.segments.values()) {
      const survived = copyOf(segment.durable);
      for (const write of segment.unsynced) {
        for (let at = 0; at < write.bytes.length;) {
          const position = write.offset + at;
          const pieceEnd = Math.min(write.bytes.length, at + SECTOR_BYTES - (position % SECTOR_BYTES));
          if (random.chance(1, 2)) survived.set(write.bytes.subarray(at, pieceEnd), position);
          at = pieceEnd;
        }
      }
      segment.durable = survived;
      segment.current = copyOf(survived);
      segment.unsynced = [];
    }
  }

  /** Of what was on its way a prefix of each queue happens. */
  #applySome(random: SeededRandom): void {
    for (const queue of this.inFlight) {
      const arrived = random.below(queue.length + 1);
      for (const apply of queue.slice(0, arrived)) apply(random);
    }
    this.inFlight.clear();
  }

  /** One bit of a block of the log changes at rest. False: there is none that must be noticed. */
  flipLogBit(random: SeededRandom): boolean {
    const block = this.faults.provenBlock(random, (segment) => this.segments.has(segment));
    if (block === null) return false;
    const segment = this.segments.get(block.segment)!;
    const at = block.offset + random.below(block.lengthBytes);
    const bit = 1 << random.below(8);
    for (const image of [segment.durable, segment.current]) image[at]! ^= bit;
    this.faults.flips++;
    return true;
  }

  /** One bit of a value of the store changes at rest, of a row whose key is meant. */
  flipRowBit(random: SeededRandom, isMeant: (key: string) => boolean): boolean {
    const names = [...this.rows.keys()].sort().filter((name) => isMeant(name) && this.rows.get(name)!.length > 0);
    if (names.length === 0) return false;
    const name = random.pick(names);
    const value = copyOf(this.rows.get(name)!);
    value[random.below(value.length)]! ^= 1 << random.below(8);
    this.rows.set(name, value);
    this.faults.flips++;
    return true;
  }

  /** Everything is gone: a new disk in the machine. */
  wipe(): void {
    this.faults.heal();
    this.faults.flips = 0;
    this.faults.forgetBlocks();
    this.segments.clear();
    this.records.clear();
    this.rows.clear();
    this.sortedKeys = null;
    this.inFlight.clear();
  }
}

/** Completes things later, as a disk does, in the life of the process that asked. */
class Completions {
  readonly #loop: EventLoop;
  readonly #life: Life;
  readonly #disk: SimMachineDisk;
  readonly #random: SeededRandom;
  readonly #queue: ((random: SeededRandom) => void)[] = [];
  #lastMs = 0;
  #closed = false;

  constructor(loop: EventLoop, life: Life, disk: SimMachineDisk, random: SeededRandom) {
    this.#loop = loop;
    this.#life = life;
    this.#disk = disk;
    this.#random = random;
  }

  /**
   * `apply` happens at completion, completions keep the order of calling. At a crash before it `atCrash` may happen, if that is something else.
   */
  later<T>(label: string, apply: () => Result<T>, done: Done<T>, atCrash?: (random: SeededRandom) => void): void {
    if (this.#closed) return this.read(label, apply, done);
    const { writeMinMs, writeMaxMs } = this.#disk.times;
    const delay = writeMinMs + (this.#random.below(1000) / 1000) * (writeMaxMs - writeMinMs);
    const at = Math.max(this.#lastMs, this.#loop.nowMs + delay);
    this.#lastMs = at;
    const onCrash = atCrash ?? ((): void => void apply());
    this.#disk.inFlight.add(this.#queue);
    this.#queue.push(onCrash);
    this.#loop.at(at, "disk", this.#life, label, () => {
      const fate = this.#disk.faults.next();
      if (fate === "crashBefore") return this.#crash(label, "before");
      this.#queue.splice(this.#queue.indexOf(onCrash), 1);
      if (fate === "io") {
        // Nobody knows how much of it has happened.
        if (this.#random.chance(1, 2)) onCrash(this.#random);
        return done(this.#failed(label));
      }
      const result = apply();
      if (fate === "crashAfter") this.#crash(label, "after");
      else done(result);
    });
  }

  #crash(label: string, when: string): void {
    this.#loop.count(`crash ${when} ${label.split(" ", 1)[0]}`);
    this.#disk.faults.onCrash();
  }

  #failed(label: string): Result<never> {
    this.#loop.count(`EIO at ${label.split(" ", 1)[0]}`);
    return { ok: false, reason: "io", message: `${label}: EIO` };
  }

  /** For reads: nothing to apply at a crash, and they do not wait for writes. */
  read<T>(label: string, answer: () => Result<T>, done: Done<T>): void {
    const closed = this.#closed;
    this.#loop.after(this.#disk.times.writeMinMs, "disk", this.#life, label, () => {
      if (closed) return done({ ok: false, reason: "closed", message: `${label} after close` });
      const fate = this.#disk.faults.next();
      if (fate === "crashBefore" || fate === "crashAfter") this.#crash(label, "at");
      else done(fate === "io" ? this.#failed(label) : answer());
    });
  }

  /** For what makes files grow: refused, with nothing done, while the disk is full. */
  growing<T>(label: string, apply: () => Result<T>, done: Done<T>): void {
    if (!this.#disk.faults.isFull) return this.later(label, apply, done);
    this.#loop.count(`ENOSPC at ${label.split(" ", 1)[0]}`);
    const refused: Result<never> = { ok: false, reason: "space", message: `${label}: ENOSPC` };
    this.later(
      label,
      () => refused,
      done,
      () => undefined,
    );
  }

  /** Completes behind everything that was called before; what is called afterwards fails. */
  close(done: Done<void>): void {
    this.later("close", () => fine, done);
    this.#closed = true;
  }
}

const fine: Result<void> = { ok: true, value: undefined };
const missing = (what: string): Result<never> => ({ ok: false, reason: "missing", message: `${what} does not exist` });

export class SimSegmentDisk implements SegmentDisk {
  readonly #disk: SimMachineDisk;
  readonly #completions: Completions;

  constructor(loop: EventLoop, life: Life, disk: SimMachineDisk, random: SeededRandom) {
    this.#disk = disk;
    this.#completions = new Completions(loop, life, disk, random);
  }

  list(done: Done<readonly SegmentInfo[]>): void {
    this.#completions.read(
      "list",
      () => ({
        ok: true,
        value: [...this.#disk.segments]
          .map(([sequence, segment]) => ({ sequence, sizeBytes: segment.current.length }))
          .sort((a, b) => a.sequence - b.sequence),
      }),
      done,
    );
  }

  create(sequence: number, sizeBytes: number, done: Done<void>): void {
    this.#completions.growing(
      `create ${sequence}`,
      () => {
        if (!this.#disk.segments.has(sequence)) {
          this.#disk.segments.set(sequence, {
            durable: new Uint8Array(sizeBytes),
            current: new Uint8Array(sizeBytes),
            unsynced: [],
          });
        }
        return fine;
      },
      done,
    );
  }

  read(
    sequence: number,
    offsetBytes: number,
    lengthBytes: number,
    done: Done<Uint8Array>,
    memory: Uint8Array | null = null,
  ): void {
    this.#completions.read(
      `read ${sequence}`,
      () => {
        const segment = this.#disk.segments.get(sequence);
        if (segment === undefined) return missing(`segment ${sequence}`);
        const bytes = segment.current.subarray(offsetBytes, offsetBytes + lengthBytes);
        return { ok: true, value: copyInto(memory, bytes) };
      },
      done,
    );
  }

  write(
    sequence: number,
    offsetBytes: number,
    chunks: readonly Uint8Array[],
    durable: boolean,
    done: Done<void>,
  ): void {
    const segment = this.#disk.segments.get(sequence);
    if (segment === undefined) {
      this.#completions.read("write", () => missing(`segment ${sequence}`), done);
      return;
    }
    const total = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
    const bytes = new Uint8Array(total);
    let at = 0;
    for (const chunk of chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    if (offsetBytes + total > segment.current.length) {
      this.#completions.read("write", () => ({ ok: false, reason: "space", message: "beyond the segment" }), done);
      return;
    }
    // While in flight the bytes may already be on their way to the medium: a power cut may tear them.
    const write: UnsyncedWrite = { offset: offsetBytes, bytes, arrived: false };
    segment.unsynced.push(write);
    const arrive = (isSynced: boolean): Result<void> => {
      segment.current.set(bytes, offsetBytes);
      write.arrived = true;
      if (isSynced) {
        segment.durable.set(bytes, offsetBytes);
        segment.unsynced = segment.unsynced.filter((other) => other !== write);
        // Recovery also writes zeros over a torn tail: they prove nothing.
        if (bytes[0] !== 0) this.#disk.faults.wrote({ segment: sequence, offset: offsetBytes, lengthBytes: total });
      }
      return fine;
    };
    this.#completions.later(
      `write ${sequence} ${offsetBytes}+${total}${durable ? " durable" : ""}`,
      () => arrive(durable),
      done,
      // A process that dies inside a durable write may leave it with the operating system only: who reads it afterwards can't rely on it.
      (random) => void arrive(durable && random.chance(1, 2)),
    );
  }

  sync(sequence: number, done: Done<void>): void {
    const segment = this.#disk.segments.get(sequence);
    if (segment === undefined) {
      this.#completions.read("sync", () => missing(`segment ${sequence}`), done);
      return;
    }
    const covered = segment.unsynced.slice();
    this.#completions.later(
      `sync ${sequence}`,
      () => {
        for (const write of covered) segment.durable.set(write.bytes, write.offset);
        segment.unsynced = segment.unsynced.filter((write) => !covered.includes(write));
        return fine;
      },
      done,
    );
  }

  remove(sequence: number, done: Done<void>): void {
    this.#completions.later(
      `remove ${sequence}`,
      () => {
        return this.#disk.segments.delete(sequence) ? fine : missing(`segment ${sequence}`);
      },
      done,
    );
  }

  close(done: Done<void>): void {
    this.#completions.close(done);
  }
}

/** What a view sees; names ascending. */
interface FrozenRows {
  readonly rows: ReadonlyMap<string, Uint8Array>;
  readonly names: readonly string[];
}

/** What one sees that was released. */
const NO_ROWS: FrozenRows = { rows: new Map(), names: [] };

export class SimKvStore implements KvStore {
  readonly #loop: EventLoop;
  readonly #disk: SimMachineDisk;
  readonly #completions: Completions;
  readonly #snapshots: Map<number, FrozenRows> = new Map();
  #nextSnapshot = 1;
  /** A batch has found no space: the real store can't be read from before it was opened again, which needs some. */
  #lacksSpace = false;

  constructor(loop: EventLoop, life: Life, disk: SimMachineDisk, random: SeededRandom) {
    this.#loop = loop;
    this.#disk = disk;
    this.#completions = new Completions(loop, life, disk, random);
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    this.#lacksSpace = this.#disk.faults.isFull;
    const copies = changes.map(({ key, value, rest }) => ({
      key: latin1(key, 0, key.length),
      value: value === null ? null : copyOf(withRest(value, rest)),
      lent: rest,
    }));
    this.#completions.growing(
      `store-write ${changes.length}`,
      () => {
        for (const { key, value, lent } of copies) {
          if (value !== null && lent !== undefined) {
            assertUnchanged(value, lent);
            this.#loop.count("a row was written from where its bytes lie");
          }
          if (value === null) this.#disk.rows.delete(key);
          else this.#disk.rows.set(key, value);
        }
        this.#disk.sortedKeys = null;
        return fine;
      },
      done,
    );
  }

  get(key: Uint8Array, snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    const name = latin1(key, 0, key.length);
    this.#completions.read(
      "store-get",
      () => ({ ok: true, value: copyIfAny(this.#frozen(snapshot).rows.get(name)) }),
      done,
    );
  }

  getNow(key: Uint8Array): Result<Uint8Array | null> {
    if (this.#lacksSpace && this.#disk.faults.isFull) {
      this.#loop.count("a cold block could not be read at once");
      return { ok: false, reason: "later", message: "ENOSPC" };
    }
    return {
      ok: true,
      value: copyIfAny(this.#frozen(null).rows.get(latin1(key, 0, key.length))),
    };
  }

  scan(
    from: Uint8Array,
    to: Uint8Array,
    limitRows: number,
    limitBytes: number,
    snapshot: KvSnapshot | null,
    done: Done<readonly KvRow[]>,
  ): void {
    this.#completions.read(
      "store-scan",
      () => {
        const { rows, names } = this.#frozen(snapshot);
        const low = latin1(from, 0, from.length);
        const high = latin1(to, 0, to.length);
        const found: KvRow[] = [];
        let bytes = 0;
        for (const name of names) {
          if (name < low || name >= high) continue;
          const value = rows.get(name)!;
          const key = Uint8Array.from(name, (character) => character.charCodeAt(0));
          found.push({ key, value: copyOf(value) });
          bytes += key.length + value.length;
          if (found.length >= limitRows || bytes >= limitBytes) break;
        }
        found.sort((a, b) => compareBytes(a.key, b.key));
        return { ok: true, value: found };
      },
      done,
    );
  }

  #frozen(snapshot: KvSnapshot | null): FrozenRows {
    if (snapshot !== null) return this.#snapshots.get(snapshot.id) ?? NO_ROWS;
    const { rows } = this.#disk;
    this.#disk.sortedKeys ??= [...rows.keys()].sort();
    return { rows, names: this.#disk.sortedKeys };
  }

  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    this.scan(from, to, limitRows, Infinity, null, (rows) => {
      done(rows.ok ? { ok: true, value: rows.value.map(({ key }) => key) } : rows);
    });
  }

  snapshot(): KvSnapshot {
    const id = this.#nextSnapshot++;
    const { rows, names } = this.#frozen(null);
    this.#snapshots.set(id, { rows: new Map(rows), names });
    return { id };
  }

  /** Whoever looks at it all the same finds that out. */
  giveBack(value: Uint8Array): void {
    value.fill(0xdd);
  }

  release(snapshot: KvSnapshot): void {
    this.#snapshots.delete(snapshot.id);
  }

  close(done: Done<void>): void {
    this.#completions.close(done);
  }
}

export class SimRecordStore implements RecordStore {
  readonly #disk: SimMachineDisk;
  readonly #completions: Completions;

  constructor(loop: EventLoop, life: Life, disk: SimMachineDisk, random: SeededRandom) {
    this.#disk = disk;
    this.#completions = new Completions(loop, life, disk, random);
  }

  read(name: string, done: Done<Uint8Array | null>): void {
    this.#completions.read(
      `record ${name}`,
      () => ({ ok: true, value: copyIfAny(this.#disk.records.get(name)) }),
      done,
    );
  }

  write(name: string, content: Uint8Array, done: Done<void>): void {
    const copy = copyOf(content);
    this.#completions.growing(
      `record ${name}`,
      () => {
        this.#disk.records.set(name, copy);
        return fine;
      },
      done,
    );
  }
}

export class SimSpaceProbe implements SpaceProbe {
  readonly #loop: EventLoop;
  readonly #life: Life;
  readonly #disk: SimMachineDisk;

  constructor(loop: EventLoop, life: Life, disk: SimMachineDisk) {
    this.#loop = loop;
    this.#life = life;
    this.#disk = disk;
  }

  freeBytes(done: Done<number>): void {
    const { times } = this.#disk;
    this.#loop.after(times.writeMinMs, "disk", this.#life, "free bytes", () =>
      done({ ok: true, value: this.#disk.faults.isFull ? 0 : PLENTY_BYTES }),
    );
  }
}

/** `Buffer.slice` is a view: whoever writes into what he got must not write into the store. */
function copyIfAny(bytes: Uint8Array | undefined): Uint8Array | null {
  return bytes === undefined ? null : copyOf(bytes);
}

/** The port's rule: buffers of a write stay as they are until it has completed. `value` ends with `lent` as it was then. */
function assertUnchanged(value: Uint8Array, lent: readonly Uint8Array[]): void {
  let end = value.length;
  for (const piece of lent.toReversed()) {
    const was = value.subarray(end - piece.length, end);
    assert(compareBytes(was, piece) === 0, "bytes of a row changed while it was written");
    end -= piece.length;
  }
}
