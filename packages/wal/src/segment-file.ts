/**
 * One segment file that is being written: two descriptors, one with O_DSYNC for writes that are durable when they return, one without.
 * Durable writes go past the page cache where the file system can (direct-staging.ts); the others are left with the operating system, which is
 * the page cache. Writes and syncs go one after the other in the order of calling. Preallocation made the file's size final, so a durable write updates no
 * metadata: that is what made O_DSYNC twice as fast as append and fdatasync in the prototype.
 */
import { close, constants, fdatasync, fstat, open, writev, writevSync } from "node:fs";
import type { Done, Result } from "@headrace/ports";
import { type DirectStaging, PAGE_BYTES } from "./direct-staging.ts";
import { failureOf } from "./file-failure.ts";
import type { SegmentBytes } from "./segment-disk.ts";

/** Not everywhere: without it a durable write is a write and a sync. */
const O_DSYNC: number | undefined = constants.O_DSYNC;

interface Task {
  readonly run: (done: Done<void>) => void;
  readonly done: Done<void>;
}

const DONE: Result<void> = { ok: true, value: undefined };

export class SegmentFile {
  readonly #path: string;
  readonly #blockingWriteBytesMax: number;
  /** Null where files cannot be written directly. */
  readonly #staging: DirectStaging | null;
  readonly #written: SegmentBytes;
  #plainFd = -1;
  #durableFd = -1;
  #isDirect = false;
  #tasks: Task[] = [];
  #isBusy = false;

  constructor(path: string, blockingWriteBytesMax: number, staging: DirectStaging | null, written: SegmentBytes) {
    this.#path = path;
    this.#blockingWriteBytesMax = blockingWriteBytesMax;
    this.#staging = staging;
    this.#written = written;
  }

  write(offsetBytes: number, chunks: readonly Uint8Array[], durable: boolean, done: Done<void>): void {
    this.#enqueue((finish) => this.#write(offsetBytes, chunks, durable, finish), done);
  }

  sync(done: Done<void>): void {
    this.#enqueue((finish) => this.#sync(finish), done);
  }

  /** After everything that was called before. */
  close(done: Done<void>): void {
    this.#enqueue((finish) => {
      const { fds } = this;
      this.#staging?.forget(this.#durableFd);
      this.#plainFd = -1;
      this.#durableFd = -1;
      closeAll(fds, finish);
    }, done);
  }

  /** Descriptors that are open now. */
  get fds(): number[] {
    return [...new Set([this.#plainFd, this.#durableFd])].filter((fd) => fd >= 0);
  }

  #enqueue(run: Task["run"], done: Done<void>): void {
    this.#tasks.push({ run, done });
    if (!this.#isBusy) this.#next();
  }

  #next(): void {
    const task = this.#tasks.shift();
    if (task === undefined) return;
    this.#isBusy = true;
    task.run((result) => {
      this.#isBusy = false;
      task.done(result);
      if (!this.#isBusy) this.#next();
    });
  }

  #write(offsetBytes: number, chunks: readonly Uint8Array[], durable: boolean, done: Done<void>): void {
    if (this.#plainFd < 0)
      return this.#open((opened) => (opened.ok ? this.#write(offsetBytes, chunks, durable, done) : done(opened)));
    const fd = durable ? this.#durableFd : this.#plainFd;
    let totalBytes = 0;
    for (const chunk of chunks) totalBytes += chunk.length;
    const isDirect = durable && this.#isDirect;
    const written: Done<void> = (result) => {
      if (result.ok) this.#written.blockBytes += isDirect ? pagesBytes(offsetBytes, totalBytes) : totalBytes;
      if (result.ok && durable && O_DSYNC === undefined) this.#sync(done);
      else done(result);
    };
    const isBlocking = totalBytes <= this.#blockingWriteBytesMax;
    if (isDirect) {
      this.#staging!.write({ fd, offsetBytes, chunks, totalBytes, isBlocking, done: written });
      return;
    }
    // What the staging keeps of the last page may be outdated by this.
    this.#staging?.forget(this.#durableFd);
    if (isBlocking) writeBlocking(fd, chunks, totalBytes, offsetBytes, written);
    else writeAll(fd, chunks, totalBytes, offsetBytes, written);
  }

  #sync(done: Done<void>): void {
    if (this.#plainFd < 0) return this.#open((opened) => (opened.ok ? this.#sync(done) : done(opened)));
    fdatasync(this.#plainFd, (error) => done(error === null ? DONE : failureOf(error)));
  }

  #open(done: Done<void>): void {
    open(this.#path, constants.O_WRONLY, (plainError, plainFd) => {
      if (plainError !== null) return done(failureOf(plainError));
      this.#plainFd = plainFd;
      if (O_DSYNC === undefined) {
        this.#durableFd = plainFd;
        return done(DONE);
      }
      this.#openDurable(plainFd, O_DSYNC, (opened) => {
        if (opened.ok) return done(opened);
        this.#plainFd = -1;
        close(plainFd, () => done(opened));
      });
    });
  }

  #openDurable(plainFd: number, durableFlag: number, done: Done<void>): void {
    fstat(plainFd, (statError, stats) => {
      if (statError !== null) return done(failureOf(statError));
      // Only whole pages can be written directly; a segment of another size is not one that this program founds by default.
      this.#isDirect = this.#staging !== null && stats.isFile() && stats.size % PAGE_BYTES === 0;
      const flags = this.#isDirect ? constants.O_RDWR | constants.O_DIRECT : constants.O_WRONLY;
      open(this.#path, flags | durableFlag, (durableError, durableFd) => {
        if (durableError !== null) return done(failureOf(durableError));
        this.#durableFd = durableFd;
        done(DONE);
      });
    });
  }
}

/** Of all pages that the bytes touch. */
function pagesBytes(offsetBytes: number, totalBytes: number): number {
  const first = Math.floor(offsetBytes / PAGE_BYTES);
  return (Math.ceil((offsetBytes + totalBytes) / PAGE_BYTES) - first) * PAGE_BYTES;
}

function closeAll(fds: readonly number[], done: Done<void>): void {
  const fd = fds[0];
  // Nothing was ever opened: still complete in a later event.
  if (fd === undefined) return void setImmediate(() => done(DONE));
  close(fd, (error) => {
    if (error) return done(failureOf(error));
    if (fds.length === 1) done(DONE);
    else closeAll(fds.slice(1), done);
  });
}

/** A positioned write of all chunks; libuv splits what is beyond IOV_MAX, and a short write goes on behind what was taken. */
function writeAll(
  fd: number,
  chunks: readonly Uint8Array[],
  totalBytes: number,
  offsetBytes: number,
  done: Done<void>,
): void {
  writev(fd, chunks, offsetBytes, (error, bytesWritten) => {
    if (error !== null) return done(failureOf(error));
    if (bytesWritten === totalBytes) return done(DONE);
    if (bytesWritten === 0)
      return done({ ok: false, reason: "io", message: `nothing written at offset ${offsetBytes}` });
    writeAll(fd, behind(chunks, bytesWritten), totalBytes - bytesWritten, offsetBytes + bytesWritten, done);
  });
}

/** The same on this thread: cheaper than two changes of thread when the write is small and the disk is fast; a slow disk stops the process. */
function writeBlocking(
  fd: number,
  chunks: readonly Uint8Array[],
  totalBytes: number,
  offsetBytes: number,
  done: Done<void>,
): void {
  let result: Result<void> = DONE;
  try {
    let rest = chunks;
    for (let at = 0; at < totalBytes;) {
      const bytesWritten = writevSync(fd, rest, offsetBytes + at);
      at += bytesWritten;
      rest = behind(rest, bytesWritten);
    }
  } catch (error) {
    result = failureOf(error as NodeJS.ErrnoException);
  }
  setImmediate(() => done(result));
}

function behind(chunks: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let skip = bytes;
  const rest: Uint8Array[] = [];
  for (const chunk of chunks) {
    if (skip >= chunk.length) skip -= chunk.length;
    else {
      rest.push(chunk.subarray(skip));
      skip = 0;
    }
  }
  return rest;
}
