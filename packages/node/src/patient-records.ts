/**
 * The small records of a node on a disk that may be full: a write that finds no space is tried again until there is some, so that a node needs no
 * restart when space is back. Nothing was promised meanwhile: whoever writes waits for the answer. Writes of one record keep their order.
 *
 * Must not know: what the records hold. Every other failure goes through.
 */
import type { Done, Logger, RecordStore, Result, Scheduler } from "@headrace/ports";

const SPACE_RETRY_MS = 1000;

interface WaitingWrite {
  readonly content: Uint8Array;
  readonly done: Done<void>;
}

export class PatientRecords implements RecordStore {
  readonly #records: RecordStore;
  readonly #scheduler: Scheduler;
  readonly #logger: Logger;
  /** Name → writes in the order of calling; the first is under way. */
  readonly #waiting: Map<string, WaitingWrite[]> = new Map();
  #retrying = 0;

  constructor(records: RecordStore, scheduler: Scheduler, logger: Logger) {
    this.#records = records;
    this.#scheduler = scheduler;
    this.#logger = logger;
  }

  /** Some record waits for space. */
  get lackSpace(): boolean {
    return this.#retrying > 0;
  }

  read(name: string, done: Done<Uint8Array | null>): void {
    this.#records.read(name, done);
  }

  write(name: string, content: Uint8Array, done: Done<void>): void {
    const queue = this.#waiting.get(name);
    if (queue !== undefined) {
      queue.push({ content, done });
      return;
    }
    this.#waiting.set(name, [{ content, done }]);
    this.#writeFirst(name, false);
  }

  #writeFirst(name: string, isRetry: boolean): void {
    const queue = this.#waiting.get(name)!;
    const { content } = queue[0]!;
    this.#records.write(name, content, (result) => {
      const lacksSpace = !result.ok && result.reason === "space";
      this.#retrying += Number(lacksSpace) - Number(isRetry);
      if (lacksSpace) {
        this.#logger.warn("record_no_space", { record: name, message: result.message });
        this.#scheduler.after(SPACE_RETRY_MS, () => this.#writeFirst(name, true));
        return;
      }
      this.#finishFirst(name, queue, result);
    });
  }

  #finishFirst(name: string, queue: WaitingWrite[], result: Result<void>): void {
    const first = queue.shift()!;
    if (queue.length === 0) this.#waiting.delete(name);
    else this.#writeFirst(name, false);
    first.done(result);
  }
}
