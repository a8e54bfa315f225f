/**
 * Writes past the page cache (O_DIRECT). A log is written once and hardly ever read: through the cache each of its pages would be allocated,
 * cleared and copied to, which measured 1.1 to 3 ms of CPU a MiB against 0.8 here (bench/results/wal-write.txt), and pushed out pages that
 * readers want. The kernel wants memory, offsets and lengths in whole pages, so bytes go through one page-aligned buffer:
 *
 *   file      … |·······page·······|·······page·······|·······page·······|   0 0 0 …
 *   written before ──────►│                                 │
 *   this write            │◄───────── chunks ─────────────►│◄─ zeros ─►│
 *   buffer      │◄ kept ─►│
 *
 * The page that a write begins in is written again with the bytes that it has; they are kept from the write before, or read when
 * another place was written last. Behind the end of an append there are only zeros (the port says so), behind any other write what is there stays.
 */
import { close, constants, open, read, unlink, write, writeSync } from "node:fs";
import { join } from "node:path";
import type { Done, Result } from "@headrace/ports";
import { failureOf } from "./file-failure.ts";

export const PAGE_BYTES = 4096;
/** A WAL write is at most 1 MiB but for single large entries, which go out in pieces. */
const STAGING_BYTES = 1024 * 1024 + PAGE_BYTES;
const DONE: Result<void> = { ok: true, value: undefined };

/** Not part of TypeScript's library without a browser's. */
declare const WebAssembly: {
  readonly Memory: new (options: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};
const WASM_PAGE_BYTES = 64 * 1024;

/** Zero-filled memory whose address is a multiple of the page size. Node offers no other way to get it. */
export function pageAligned(bytes: number): Uint8Array {
  return new Uint8Array(new WebAssembly.Memory({ initial: Math.ceil(bytes / WASM_PAGE_BYTES) }).buffer, 0, bytes);
}

/** Whether files of the directory can be written directly: not on every file system, not on every platform. */
export function canWriteDirectly(directory: string, then: (can: boolean) => void): void {
  const { O_DIRECT } = constants;
  if (O_DIRECT === undefined) return then(false);
  // Named like a segment that was not finished: one that stays behind is removed by the next opening.
  const path = join(directory, "wal-0000000000000000.tmp");
  open(path, constants.O_WRONLY | constants.O_CREAT | O_DIRECT, 0o640, (error, fd) => {
    if (error !== null) return unlink(path, () => then(false));
    write(fd, pageAligned(PAGE_BYTES), 0, PAGE_BYTES, 0, (writeError, bytesWritten) => {
      close(fd, () => unlink(path, () => then(writeError === null && bytesWritten === PAGE_BYTES)));
    });
  });
}

export interface DirectWrite {
  /** Opened with O_DIRECT for reading and writing; a file of whole pages. */
  readonly fd: number;
  readonly offsetBytes: number;
  readonly chunks: readonly Uint8Array[];
  readonly totalBytes: number;
  /** On the calling thread. */
  readonly isBlocking: boolean;
  readonly done: Done<void>;
}

/** One for all segments of a disk: one write at a time, the others wait their turn. */
export class DirectStaging {
  readonly #buffer: Uint8Array = pageAligned(STAGING_BYTES);
  readonly #tailPage: Uint8Array = pageAligned(PAGE_BYTES);
  readonly #queue: DirectWrite[] = [];
  #isBusy = false;
  /** The file and offset that the last write ended at; the buffer begins with that page's bytes before the offset. */
  #fd = -1;
  #end = 0;

  write(directWrite: DirectWrite): void {
    this.#queue.push(directWrite);
    if (!this.#isBusy) this.#next();
  }

  /** The number may mean another file from now on. */
  forget(fd: number): void {
    if (this.#fd === fd) this.#fd = -1;
  }

  #next(): void {
    const task = this.#queue.shift();
    if (task === undefined) return;
    this.#isBusy = true;
    const isAppend = task.fd === this.#fd && task.offsetBytes === this.#end;
    const finish = (result: Result<void>): void => {
      this.#isBusy = false;
      this.#fd = result.ok ? task.fd : -1;
      this.#end = task.offsetBytes + task.totalBytes;
      task.done(result);
      if (!this.#isBusy) this.#next();
    };
    const head = task.offsetBytes % PAGE_BYTES;
    if (isAppend || head === 0) return this.#writePiece(task, 0, 0, isAppend, finish);
    this.#readPage(task.fd, task.offsetBytes - head, 0, (result) => {
      if (result.ok) this.#writePiece(task, 0, 0, isAppend, finish);
      else finish(result);
    });
  }

  /** Writes what fits into the buffer, from byte `skip` of chunk `first` on, and goes on with the rest. */
  #writePiece(task: DirectWrite, writtenBytes: number, first: number, isAppend: boolean, finish: Done<void>): void {
    const buffer = this.#buffer;
    const offset = task.offsetBytes + writtenBytes;
    const head = offset % PAGE_BYTES;
    let end = head;
    let next = first;
    let skip = writtenBytes;
    for (let i = 0; i < first; i++) skip -= task.chunks[i]!.length;
    for (; next < task.chunks.length && end < buffer.length; next++) {
      const chunk = task.chunks[next]!;
      const taken = Math.min(chunk.length - skip, buffer.length - end);
      buffer.set(skip === 0 && taken === chunk.length ? chunk : chunk.subarray(skip, skip + taken), end);
      end += taken;
      if (skip + taken < chunk.length) break;
      skip = 0;
    }
    const paddedEnd = Math.ceil(end / PAGE_BYTES) * PAGE_BYTES;
    const writtenAfter = writtenBytes + (end - head);
    const go = (): void => {
      this.#writeAll(task, offset - head, 0, paddedEnd, (result) => {
        if (!result.ok) return finish(result);
        const partial = end % PAGE_BYTES;
        buffer.copyWithin(0, end - partial, end);
        if (writtenAfter === task.totalBytes) finish(DONE);
        else this.#writePiece(task, writtenAfter, next, isAppend, finish);
      });
    };
    if (paddedEnd === end) return go();
    if (isAppend) {
      buffer.fill(0, end, paddedEnd);
      return go();
    }
    this.#readTail(task.fd, offset - head + paddedEnd - PAGE_BYTES, end, go, finish);
  }

  /** Puts behind `end` what the file has there. The buffer's last page must not change before `end`. */
  #readTail(fd: number, pageOffset: number, end: number, then: () => void, finish: Done<void>): void {
    const page = this.#tailPage;
    read(fd, page, 0, PAGE_BYTES, pageOffset, (error, bytesRead) => {
      if (error !== null) return finish(failureOf(error));
      if (bytesRead !== PAGE_BYTES) return finish(shortRead(pageOffset));
      this.#buffer.set(page.subarray(end % PAGE_BYTES), end);
      then();
    });
  }

  #readPage(fd: number, pageOffset: number, at: number, done: Done<void>): void {
    read(fd, this.#buffer, at, PAGE_BYTES, pageOffset, (error, bytesRead) => {
      if (error !== null) return done(failureOf(error));
      done(bytesRead === PAGE_BYTES ? DONE : shortRead(pageOffset));
    });
  }

  /** A short write goes on from the last whole page that was taken. */
  #writeAll(task: DirectWrite, fileOffset: number, from: number, to: number, done: Done<void>): void {
    const written = (error: NodeJS.ErrnoException | null, bytesWritten: number): void => {
      if (error !== null) return done(failureOf(error));
      const pages = bytesWritten - (bytesWritten % PAGE_BYTES);
      if (from + pages === to) return done(DONE);
      if (pages === 0) return done({ ok: false, reason: "io", message: `nothing written at offset ${fileOffset}` });
      this.#writeAll(task, fileOffset + pages, from + pages, to, done);
    };
    if (!task.isBlocking) {
      write(task.fd, this.#buffer, from, to - from, fileOffset, written);
      return;
    }
    let bytesWritten = 0;
    let failure: NodeJS.ErrnoException | null = null;
    try {
      bytesWritten = writeSync(task.fd, this.#buffer, from, to - from, fileOffset);
    } catch (error) {
      failure = error as NodeJS.ErrnoException;
    }
    // Completes in a later event, as all ports do.
    setImmediate(() => written(failure, bytesWritten));
  }
}

function shortRead(offset: number): Result<void> {
  return { ok: false, reason: "io", message: `the page at offset ${offset} cannot be read whole` };
}
