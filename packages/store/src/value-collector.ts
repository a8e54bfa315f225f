/**
 * Gives the space of dead values back. It takes a mostly dead file, asks LevelDB about the values that were put there (`value-row.ts`, places) which
 * of them are still pointed at, and copies those forward through the same door as every write. A file of which nothing is left has ended.
 *
 * A step is bounded, and the store runs it between two writes and never beside one: so a moved value can't cover a newer one. What a
 * step has done goes with its batch, places included: the next step, or the next process, begins at the first place that is left.
 */
import { latin1 } from "@headrace/bytes";
import type { Database } from "./database.ts";
import type { RowWriter } from "./row-writer.ts";
import { failureOf } from "./failure.ts";
import { DamagedValue } from "./value-file.ts";
import type { ValueFiles } from "./value-files.ts";
import { decodePlaces, placesEnd, placesKey, pointerOf, type ValuePointer } from "./value-row.ts";
import { WritePlan } from "./write-plan.ts";

/** Parts of a file that a step looks at, and copies. By default twice and half of what a usual write brings: space comes free faster than it is used. */
const STEP_PLACED_PART = 1 / 4;
const STEP_COPIED_PART = 1 / 16;

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
  readonly #onDamage: (message: string) => void;
  /** Files whose damage was told: they are tried again and again. */
  readonly #damaged: Set<number> = new Set();

  constructor(database: Database, files: ValueFiles, writer: RowWriter, onDamage: (message: string) => void) {
    this.#database = database;
    this.#files = files;
    this.#writer = writer;
    this.#onDamage = onDamage;
  }

  get hasWork(): boolean {
    return this.#files.collectable() !== null;
  }

  /** Never rejects: a file that can't be collected now is left until its counts change. */
  async step(): Promise<void> {
    const file = this.#files.collectable();
    if (file === null) return;
    try {
      await this.#collect(file);
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
    setImmediate(this.#onDamage, message);
  }

  async #collect(file: number): Promise<void> {
    const step = await this.#look(file);
    const plan = new WritePlan();
    const values = await this.#files.read(step.livePointers);
    for (let i = 0; i < values.length; i++) {
      const key = step.liveKeys[i]!;
      plan.addLarge(latin1(key, 1, key.length), key, values[i]!);
    }
    await this.#writer.write(plan, { placesKeys: step.placesKeys, endedFile: step.isLast ? file : null });
    if (step.isLast) this.#files.end(file);
  }

  async #look(file: number): Promise<Step> {
    const step: Step = { placesKeys: [], liveKeys: [], livePointers: [], isLast: true };
    const iterator = this.#database.iterator({ gte: placesKey(file, 0), lt: placesEnd(file), fillCache: false });
    const { fileBytes } = this.#files;
    let placedBytes = 0;
    let liveBytes = 0;
    try {
      for (;;) {
        const row = await iterator.next();
        if (row === undefined) return step;
        if (placedBytes >= fileBytes * STEP_PLACED_PART || liveBytes >= fileBytes * STEP_COPIED_PART) break;
        const places = decodePlaces(row[0], row[1]);
        const rows = await this.#database.getMany(places.map((place) => place.rowKey));
        places.forEach((place, i) => {
          placedBytes += place.length;
          const found = rows[i];
          const pointer = found === undefined ? null : pointerOf(found);
          if (pointer === null || pointer.file !== file || pointer.offset !== place.offset) return;
          if (pointer.length !== place.length)
            throw new DamagedValue(`a pointer into value file ${file} has another length`);
          liveBytes += pointer.length;
          step.liveKeys.push(place.rowKey);
          step.livePointers.push(pointer);
        });
        step.placesKeys.push(row[0]);
      }
    } finally {
      await iterator.close();
    }
    step.isLast = false;
    return step;
  }
}
