/** One LevelDB batch, and how many bytes go into LevelDB's log with it. The chained form: 0.6 µs of the main thread a change, the array form takes 6. */
import type { Database } from "./database.ts";

export class RowBatch {
  readonly #batch: ReturnType<Database["batch"]>;
  bytes = 0;

  constructor(database: Database) {
    this.#batch = database.batch();
  }

  put(key: Uint8Array, row: Uint8Array): void {
    this.#batch.put(key, row);
    this.bytes += key.length + row.length;
  }

  delete(key: Uint8Array): void {
    this.#batch.del(key);
    this.bytes += key.length;
  }

  /** All or nothing, and durable when it resolves. */
  async commit(): Promise<void> {
    await this.#batch.write({ sync: true });
  }

  async close(): Promise<void> {
    await this.#batch.close();
  }
}
