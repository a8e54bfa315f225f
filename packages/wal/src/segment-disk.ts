/**
 * The SegmentDisk port on files `wal-<sequence>.seg` of one directory. No decisions: what is in a segment, and when what is written or
 * removed, is the business of the `log` room. A segment without its whole zero-filled size never has its final name.
 *
 * The file of a removed segment is kept under its temporary name and filled with zeros again for a new one. Where the file system tells the disk
 * what is free (ext4's `discard`), every file that is deleted and made anew held up all writes of the machine for some 40 ms
 * (bench/results/wal-spares.txt).
 */
import { close, constants, mkdir, open, read, readdir, rename, stat, unlink } from "node:fs";
import { join } from "node:path";
import type { Done, Failure, Result, SegmentDisk, SegmentInfo } from "@headrace/ports";
import { canWriteDirectly, DirectStaging, PAGE_BYTES, pageAligned } from "./direct-staging.ts";
import { failureOf } from "./file-failure.ts";
import { preallocate, syncDirectory } from "./preallocate.ts";
import { SegmentFile } from "./segment-file.ts";

export interface SegmentDiskOptions {
  /**
   * Writes up to this size happen on the calling thread. 0, the default: all in the thread pool. See bench/results/wal-write.txt for
   * what it gives and takes.
   */
  readonly blockingWriteBytesMax?: number;
  /** False: through the page cache even where it could be avoided. */
  readonly direct?: boolean;
  /** Counts what is written. */
  readonly written?: SegmentBytes;
}

/** What the disk was asked to write since the process began. */
export interface SegmentBytes {
  /** Writes, in whole pages where they went past the page cache. */
  blockBytes: number;
  /** Segments filled with zeros before their use. */
  zeroBytes: number;
}

export function noSegmentBytes(): SegmentBytes {
  return { blockBytes: 0, zeroBytes: 0 };
}

const NAME = /^wal-(\d{16})\.seg$/;
const TEMPORARY_NAME = /^wal-\d{16}\.tmp$/;
/** A new segment is filled in pieces of this size. */
const ZEROS_BYTES = 1024 * 1024;
/** Removed segments whose files are kept: a checkpoint frees some at once, which are then needed one by one. */
const SPARES_MAX = 4;
const CLOSED: Failure = { ok: false, reason: "closed", message: "the segment disk is closed" };
const DONE: Result<void> = { ok: true, value: undefined };

/** Creates the directory if it is missing. Segments that were not finished when a process died are removed. */
export function openSegmentDisk(directory: string, options: SegmentDiskOptions, done: Done<SegmentDisk>): void {
  mkdir(directory, { recursive: true }, (error) => {
    if (error !== null) return done(failureOf(error));
    readdir(directory, (listError, names) => {
      if (listError !== null) return done(failureOf(listError));
      const unfinished = names.filter((name) => TEMPORARY_NAME.test(name)).map((name) => join(directory, name));
      unlinkAll(unfinished, (unlinked) => {
        if (!unlinked.ok) return done(unlinked);
        const opened = (isDirect: boolean): void =>
          done({ ok: true, value: new FileSegmentDisk(directory, options, isDirect) });
        if (options.direct === false) opened(false);
        else canWriteDirectly(directory, opened);
      });
    });
  });
}

class FileSegmentDisk implements SegmentDisk {
  readonly #directory: string;
  readonly #blockingWriteBytesMax: number;
  readonly #staging: DirectStaging | null;
  readonly #written: SegmentBytes;
  readonly #zeros: Uint8Array = pageAligned(ZEROS_BYTES);
  /** Segments that have been written to: at most the current one and the one before. */
  readonly #files: Map<number, SegmentFile> = new Map();
  /** Files of removed segments, under their temporary names. */
  readonly #spares: string[] = [];
  /** How many reads of a segment are under way: its file must not become another's. */
  readonly #reads: Map<number, number> = new Map();
  #isClosed = false;

  constructor(directory: string, options: SegmentDiskOptions, isDirect: boolean) {
    this.#directory = directory;
    this.#staging = isDirect ? new DirectStaging() : null;
    this.#blockingWriteBytesMax = options.blockingWriteBytesMax ?? 0;
    this.#written = options.written ?? noSegmentBytes();
  }

  list(done: Done<readonly SegmentInfo[]>): void {
    if (this.#refuses(done)) return;
    readdir(this.#directory, (error, names) => {
      if (error !== null) return done(failureOf(error));
      const sequences = names.map((name) => NAME.exec(name)).filter((match) => match !== null);
      const sorted = sequences.map((match) => Number(match[1])).toSorted((a, b) => a - b);
      this.#statAll(sorted, [], done);
    });
  }

  create(sequence: number, sizeBytes: number, done: Done<void>): void {
    if (this.#refuses(done)) return;
    const path = this.#path(sequence);
    const temporaryPath = this.#spares.pop() ?? temporaryPathOf(path);
    const isDirect = this.#staging !== null && sizeBytes % PAGE_BYTES === 0;
    preallocate(
      { directory: this.#directory, path, temporaryPath, sizeBytes, isDirect, zeros: this.#zeros },
      (created) => {
        if (created.ok) this.#written.zeroBytes += sizeBytes;
        done(created);
      },
    );
  }

  read(
    sequence: number,
    offsetBytes: number,
    lengthBytes: number,
    done: Done<Uint8Array>,
    memory: Uint8Array | null = null,
  ): void {
    if (this.#refuses(done)) return;
    const hasRoom = memory !== null && memory.length >= lengthBytes;
    const buffer = hasRoom ? memory.subarray(0, lengthBytes) : Buffer.allocUnsafeSlow(lengthBytes);
    this.#reads.set(sequence, (this.#reads.get(sequence) ?? 0) + 1);
    const ended: Done<Uint8Array> = (result) => {
      const others = this.#reads.get(sequence)! - 1;
      if (others > 0) this.#reads.set(sequence, others);
      else this.#reads.delete(sequence);
      done(result);
    };
    open(this.#path(sequence), constants.O_RDONLY, (error, fd) => {
      if (error !== null) return ended(failureOf(error));
      readAll(fd, buffer, 0, offsetBytes, (result) => {
        close(fd, (closeError) => ended(result.ok && closeError ? failureOf(closeError) : result));
      });
    });
  }

  write(
    sequence: number,
    offsetBytes: number,
    chunks: readonly Uint8Array[],
    durable: boolean,
    done: Done<void>,
  ): void {
    if (this.#refuses(done)) return;
    this.#file(sequence).write(offsetBytes, chunks, durable, done);
  }

  sync(sequence: number, done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#file(sequence).sync(done);
  }

  remove(sequence: number, done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#closeFile(sequence, (closed) => {
      if (!closed.ok) return done(closed);
      const path = this.#path(sequence);
      if (this.#spares.length >= SPARES_MAX) return this.#unlink(path, done);
      const spare = temporaryPathOf(path);
      rename(path, spare, (error) => {
        if (error !== null) return done(failureOf(error));
        // Nobody can open it any more. Who has opened it must not find another segment's bytes.
        if (this.#reads.has(sequence)) return this.#unlink(spare, done);
        syncDirectory(this.#directory, (synced) => {
          if (synced.ok) this.#spares.push(spare);
          done(synced);
        });
      });
    });
  }

  close(done: Done<void>): void {
    if (this.#refuses(done)) return;
    this.#isClosed = true;
    this.#closeFiles([...this.#files.keys()], done);
  }

  #unlink(path: string, done: Done<void>): void {
    unlink(path, (error) => {
      if (error !== null) done(failureOf(error));
      else syncDirectory(this.#directory, done);
    });
  }

  #path(sequence: number): string {
    return join(this.#directory, `wal-${String(sequence).padStart(16, "0")}.seg`);
  }

  #refuses<T>(done: Done<T>): boolean {
    if (this.#isClosed) setImmediate(() => done(CLOSED));
    return this.#isClosed;
  }

  /** The descriptors of a segment that is written to; those of the ones before it are of no more use. */
  #file(sequence: number): SegmentFile {
    let file = this.#files.get(sequence);
    if (file === undefined) {
      for (const older of this.#files.keys()) {
        // A failure to close a file whose content was synced through it has nobody to tell and nothing to lose.
        if (older < sequence) this.#closeFile(older, () => {});
      }
      file = new SegmentFile(this.#path(sequence), this.#blockingWriteBytesMax, this.#staging, this.#written);
      this.#files.set(sequence, file);
    }
    return file;
  }

  #closeFile(sequence: number, done: Done<void>): void {
    const file = this.#files.get(sequence);
    this.#files.delete(sequence);
    if (file === undefined) done(DONE);
    else file.close(done);
  }

  #closeFiles(sequences: readonly number[], done: Done<void>): void {
    const sequence = sequences[0];
    if (sequence === undefined) return void setImmediate(() => done(DONE));
    this.#closeFile(sequence, (closed) => {
      if (closed.ok) this.#closeFiles(sequences.slice(1), done);
      else done(closed);
    });
  }

  #statAll(sequences: readonly number[], infos: SegmentInfo[], done: Done<readonly SegmentInfo[]>): void {
    const sequence = sequences[infos.length];
    if (sequence === undefined) return done({ ok: true, value: infos });
    stat(this.#path(sequence), (error, stats) => {
      if (error !== null) return done(failureOf(error));
      infos.push({ sequence, sizeBytes: stats.size });
      this.#statAll(sequences, infos, done);
    });
  }
}

function temporaryPathOf(path: string): string {
  return path.replace(/\.seg$/, ".tmp");
}

function readAll(fd: number, buffer: Uint8Array, at: number, offsetBytes: number, done: Done<Uint8Array>): void {
  read(fd, buffer, at, buffer.length - at, offsetBytes + at, (error, bytesRead) => {
    if (error !== null) return done(failureOf(error));
    const end = at + bytesRead;
    if (bytesRead === 0 || end === buffer.length) return done({ ok: true, value: buffer.subarray(0, end) });
    readAll(fd, buffer, end, offsetBytes, done);
  });
}

function unlinkAll(paths: readonly string[], done: Done<void>): void {
  const path = paths[0];
  if (path === undefined) return done(DONE);
  unlink(path, (error) => {
    if (error === null) unlinkAll(paths.slice(1), done);
    else done(failureOf(error));
  });
}
