/**
 * Rewrites value files. A mostly dead one, for its space: it asks LevelDB about the values that were put there (`value-row.ts`, places) which of
 * them are still pointed at, and moves those through the same door as every write. And one that was never tried for compression, in the same way, if a
 * sample of it says that it is worth it. What is moved is compressed on its way. A file of which nothing is left has ended.
 *
 * A step is bounded, and the store runs it between two writes and never beside one: so a moved value can't cover a newer one. What a
 * step has done goes with its batch, places included: the next step, or the next process, begins at the first place that is left.
 */
import { crc32, latin1 } from "@headrace/bytes";
import { DamagedValue } from "./damaged-value.ts";
import type { Database } from "./database.ts";
import { failureOf } from "./failure.ts";
import type { RowWriter } from "./row-writer.ts";
import { compressed } from "./value-compression.ts";
import type { ValueFiles } from "./value-files.ts";
import { decodePlaces, type PlacedValue, placesEnd, placesKey, pointerOf, type ValuePointer } from "./value-row.ts";
import { WritePlan } from "./write-plan.ts";

/** How much a step may look at, and move. */
interface StepBounds {
  readonly placedBytes: number;
  readonly movedBytes: number;
}

/** Parts of a file. By default twice and half of what a usual write brings: space comes free faster than it is used. */
const COLLECTING_PLACED_PART = 1 / 4;
const COLLECTING_MOVED_PART = 1 / 16;
/** Nobody waits for smaller files, but a write may wait for this step: about 10 ms. */
const COMPRESSING_BYTES = 1024 * 1024;
/** The sample of a file: one value of each row of places, so from all over it. */
const SAMPLE_VALUES_MAX = 32;
const SAMPLE_BYTES_MAX = 1024 * 1024;
/** All of a file is written again if at most so much is left. */
const WORTH_PART = 3 / 4;

export interface CollectorOptions {
  /** False: what is moved stays as it is, and nothing is moved for being compressed. */
  readonly compresses: boolean;
  readonly onDamage: (message: string) => void;
}

interface Step {
  readonly placesKeys: Uint8Array[];
  readonly liveKeys: Uint8Array[];
  readonly livePointers: ValuePointer[];
  isLast: boolean;
}

export class ValueCollector {
  readonly #database: Database;
  readonly #files: ValueFiles;
  readonly #writer: RowWriter;
  readonly #options: CollectorOptions;
  /** Files whose damage was told: they are tried again and again. */
  readonly #damaged: Set<number> = new Set();
  /** The file whose sample was worth it, and that is being compressed. */
  #compressing: number | null = null;

  constructor(database: Database, files: ValueFiles, writer: RowWriter, options: CollectorOptions) {
    this.#database = database;
    this.#files = files;
    this.#writer = writer;
    this.#options = options;
  }

  get hasWork(): boolean {
    return this.#files.collectable() !== null;
  }

  /** Work for when there is nothing else to do. */
  get canTidy(): boolean {
    return this.#tidied() !== null;
  }

  /** Space of what is dead. Never rejects: a file that can't be collected now is left until its counts change. */
  async collect(): Promise<void> {
    const { fileBytes } = this.#files;
    const bounds = { placedBytes: fileBytes * COLLECTING_PLACED_PART, movedBytes: fileBytes * COLLECTING_MOVED_PART };
    await this.#attempt(this.#files.collectable(), (file) => this.#move(file, bounds));
  }

  /** Space of what lives, by compressing it, and of what is dead in files that are mostly alive. Never rejects. */
  async tidy(): Promise<void> {
    const loose = this.#files.loose();
    await this.#attempt(this.#tidied(), async (file) => {
      const isUntried = file !== loose && this.#compressing !== file;
      if (isUntried && !(await this.#isWorthIt(file))) {
        await this.#writer.write(new WritePlan(), { placesKeys: [], endedFile: null, settledFile: file });
        return;
      }
      this.#compressing = file;
      await this.#move(file, { placedBytes: COMPRESSING_BYTES, movedBytes: COMPRESSING_BYTES });
    });
  }

  /** What is loose is moved and compressed in one go. */
  #tidied(): number | null {
    return this.#files.loose() ?? (this.#options.compresses ? this.#files.compressible() : null);
  }

  async #attempt(file: number | null, body: (file: number) => Promise<void>): Promise<void> {
    if (file === null) return;
    try {
      await body(file);
    } catch (error) {
      // Nobody waits for the space, and a failing disk is told to whoever writes. But a damaged value may be read by nobody for long.
      this.#files.postpone(file);
      if (failureOf(error).reason === "corrupt") this.#tell(file, (error as Error).message);
    }
  }

  /** Once for a file in a process' life. */
  #tell(file: number, message: string): void {
    if (this.#damaged.has(file)) return;
    this.#damaged.add(file);
    // Outside of any promise.
    setImmediate(this.#options.onDamage, message);
  }

  async #move(file: number, bounds: StepBounds): Promise<void> {
    const step = await this.#look(file, bounds);
    const plan = new WritePlan();
    const stored = await this.#files.readStored(step.livePointers);
    for (let i = 0; i < stored.length; i++) {
      const key = step.liveKeys[i]!;
      const { isCompressed, valueBytes, crc } = step.livePointers[i]!;
      const name = latin1(key, 1, key.length);
      // One after the other: neither the event loop nor the thread pool, of which the log needs some, is kept.
      const frame = this.#options.compresses && !isCompressed ? await compressed(stored[i]!) : null;
      const isFrame = isCompressed || frame !== null;
      plan.addLarge(name, key, [frame ?? stored[i]!], isFrame ? valueBytes : 0, frame === null ? crc : crc32(frame));
    }
    const endedFile = step.isLast ? file : null;
    await this.#writer.write(plan, { placesKeys: step.placesKeys, endedFile, settledFile: null });
    if (!step.isLast) return;
    // Its number may come again, for other values.
    if (this.#compressing === file) this.#compressing = null;
    this.#files.end(file);
  }

  async #look(file: number, bounds: StepBounds): Promise<Step> {
    const step: Step = { placesKeys: [], liveKeys: [], livePointers: [], isLast: true };
    let placedBytes = 0;
    let liveBytes = 0;
    for await (const [key, row] of this.#placesOf(file)) {
      if (placedBytes >= bounds.placedBytes || liveBytes >= bounds.movedBytes) {
        step.isLast = false;
        break;
      }
      const places = decodePlaces(key, row);
      const pointers = await this.#pointersAt(file, places);
      places.forEach((place, i) => {
        placedBytes += place.length;
        const pointer = pointers[i];
        if (pointer === null || pointer === undefined) return;
        liveBytes += pointer.length;
        step.liveKeys.push(place.rowKey);
        step.livePointers.push(pointer);
      });
      step.placesKeys.push(key);
    }
    return step;
  }

  /** Leaving the loop closes the iterator. */
  #placesOf(file: number): AsyncIterable<[Uint8Array, Uint8Array]> {
    return this.#database.iterator({ gte: placesKey(file, 0), lt: placesEnd(file), fillCache: false });
  }

  /** Null for a place that its key does not point to any more. */
  async #pointersAt(file: number, places: readonly PlacedValue[]): Promise<readonly (ValuePointer | null)[]> {
    const rows = await this.#database.getMany(places.map((place) => place.rowKey));
    return places.map((place, i) => {
      const row = rows[i];
      const pointer = row === undefined ? null : pointerOf(row);
      if (pointer === null || pointer.file !== file || pointer.offset !== place.offset) return null;
      if (pointer.length !== place.length)
        throw new DamagedValue(`a pointer into value file ${file} has another length`);
      return pointer;
    });
  }

  /** Whether a sample of the file gets clearly smaller. */
  async #isWorthIt(file: number): Promise<boolean> {
    let bytes = 0;
    let bytesAfter = 0;
    let values = 0;
    for await (const [key, row] of this.#placesOf(file)) {
      const pointers = await this.#pointersAt(file, decodePlaces(key, row));
      const pointer = pointers.find((each) => each !== null && !each.isCompressed);
      if (pointer === null || pointer === undefined) continue;
      const [stored] = await this.#files.readStored([pointer]);
      bytes += pointer.length;
      bytesAfter += (await compressed(stored!))?.length ?? pointer.length;
      if (++values >= SAMPLE_VALUES_MAX || bytes >= SAMPLE_BYTES_MAX) break;
    }
    return bytesAfter <= bytes * WORTH_PART && values > 0;
  }
}
