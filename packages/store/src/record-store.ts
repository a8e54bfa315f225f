/**
 * The RecordStore port: each record a file that is whole or absent. Written under another name, synced, renamed, directory synced, one
 * after the other.
 */
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import type { Done, Failure, RecordStore } from "@headrace/ports";

const NAME = /^[a-z0-9][a-z0-9.-]*$/;

/** Creates the directory if it is missing. */
export function openRecordStore(directory: string, done: Done<RecordStore>): void {
  settle(
    mkdir(directory, { recursive: true }).then(() => new FileRecordStore(directory)),
    done,
  );
}

class FileRecordStore implements RecordStore {
  readonly #directory: string;
  /** The last write; the next one follows it whatever became of it. */
  #last: Promise<void> = Promise.resolve();

  constructor(directory: string) {
    this.#directory = directory;
  }

  read(name: string, done: Done<Uint8Array | null>): void {
    settle(
      this.#last.then(() => readOrNull(this.#path(name))),
      done,
    );
  }

  write(name: string, content: Uint8Array, done: Done<void>): void {
    const path = this.#path(name);
    const written = this.#last.then(() => replaceFile(this.#directory, path, content));
    // The failure goes to `done`; the chain only keeps the order.
    this.#last = written.catch(() => {});
    settle(written, done);
  }

  #path(name: string): string {
    if (!NAME.test(name)) throw new Error(`not a record name: ${JSON.stringify(name)}`);
    return join(this.#directory, name);
  }
}

async function readOrNull(path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw error;
  }
}

async function replaceFile(directory: string, path: string, content: Uint8Array): Promise<void> {
  const temporaryPath = `${path}.tmp`;
  const file = await open(temporaryPath, "w", 0o640);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporaryPath, path);
  const parent = await open(directory, "r");
  try {
    await parent.sync();
  } finally {
    await parent.close();
  }
}

function settle<T>(promise: Promise<T>, done: Done<T>): void {
  promise.then(
    (value) => setImmediate(done, { ok: true, value }),
    (error: unknown) => setImmediate(done, failureOf(error)),
  );
}

function failureOf(error: unknown): Failure {
  const { code, message } = error as NodeJS.ErrnoException;
  return { ok: false, reason: code === "ENOSPC" || code === "EDQUOT" ? "space" : "io", message };
}
