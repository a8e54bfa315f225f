/**
 * Writes past the page cache (O_DIRECT). Values are written once and seldom read soon: through the cache each page of a growing file is allocated
 * and copied to, 2.2 ms of CPU a MiB with all that a store does beside it, against 0.6 here (bench/results/store-write.txt). The kernel
 * wants memory, offsets and lengths in whole pages: the bytes are copied through one aligned buffer, and the last page is filled up with
 * what the buffer held.
 */
import { constants, write } from "node:fs";
import { promisify } from "node:util";

export const PAGE_BYTES = 4096;
/** Copied between two turns of the event loop: about a tenth of a millisecond. */
const STAGING_BYTES = 512 * 1024;
const WASM_PAGE_BYTES = 64 * 1024;

/** Not part of TypeScript's library without a browser's. Node offers no other memory whose address is sure to be a multiple of the page. */
declare const WebAssembly: {
  readonly Memory: new (options: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

const writePages = promisify(write);

export class DirectWriter {
  #buffer: Uint8Array | null = null;
  #isPossible: boolean = constants.O_DIRECT !== undefined;

  /** False once the file system has refused: not every one can, and not every platform. */
  get isPossible(): boolean {
    return this.#isPossible;
  }

  /** Whether that was the refusal. The caller then writes in the usual way. */
  isRefusal(error: unknown): boolean {
    if ((error as NodeJS.ErrnoException).code !== "EINVAL") return false;
    this.#isPossible = false;
    return true;
  }

  /** `fd` was opened with O_DIRECT, `offset` is a multiple of the page size. Not durable before a sync. One call at a time. */
  async write(fd: number, values: readonly Uint8Array[], offset: number): Promise<void> {
    this.#buffer ??= new Uint8Array(new WebAssembly.Memory({ initial: STAGING_BYTES / WASM_PAGE_BYTES }).buffer);
    const buffer = this.#buffer;
    let at = offset;
    let filled = 0;
    for (const value of values) {
      for (let taken = 0; taken < value.length;) {
        const bytes = Math.min(value.length - taken, buffer.length - filled);
        buffer.set(bytes === value.length ? value : value.subarray(taken, taken + bytes), filled);
        taken += bytes;
        filled += bytes;
        if (filled < buffer.length) continue;
        await writeWhole(fd, buffer, at);
        at += filled;
        filled = 0;
      }
    }
    if (filled > 0) await writeWhole(fd, buffer.subarray(0, wholePages(filled)), at);
  }
}

/** Rounded up. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

/** A short write goes on behind the last whole page that was taken. */
async function writeWhole(fd: number, pages: Uint8Array, offset: number): Promise<void> {
  for (let at = 0; at < pages.length;) {
    const { bytesWritten } = await writePages(fd, pages, at, pages.length - at, offset + at);
    const taken = bytesWritten - (bytesWritten % PAGE_BYTES);
    if (taken === 0) throw new Error(`nothing was written at offset ${offset + at}`);
    at += taken;
  }
}
