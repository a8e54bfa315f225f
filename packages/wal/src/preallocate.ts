/**
 * Creates a zero-filled file that is whole or absent: written under another name, synced, renamed, directory synced. The zeros go out in
 * pieces, each synced, so that the log's own writes never wait behind 64 MiB of them. A file that is there under the other name is used again:
 * the file system has nothing to give back and nothing to find (segment-disk.ts says what that is worth).
 */
import { close, constants, fdatasync, fsync, ftruncate, open, rename, unlink, write } from "node:fs";
import type { Done, Result } from "@headrace/ports";
import { failureOf } from "./file-failure.ts";

const DONE: Result<void> = { ok: true, value: undefined };

export interface NewFile {
  readonly directory: string;
  readonly temporaryPath: string;
  readonly path: string;
  readonly sizeBytes: number;
  /** Past the page cache, of which a new segment would fill and clear 64 MiB; the size is a multiple of the page. */
  readonly isDirect: boolean;
  /** What it is filled from, piece by piece; page-aligned if `isDirect`. */
  readonly zeros: Uint8Array;
}

export function preallocate(file: NewFile, done: Done<void>): void {
  const direct = file.isDirect ? constants.O_DIRECT : 0;
  const flags = constants.O_WRONLY | constants.O_CREAT | direct;
  open(file.temporaryPath, flags, 0o640, (error, fd) => {
    if (error !== null) return done(failureOf(error));
    fill(fd, file.zeros, 0, file.sizeBytes, (filled) => {
      close(fd, (closeError) => {
        const outcome: Result<void> = filled.ok && closeError ? failureOf(closeError) : filled;
        if (!outcome.ok) return unlink(file.temporaryPath, () => done(outcome));
        rename(file.temporaryPath, file.path, (renameError) => {
          if (renameError !== null) return done(failureOf(renameError));
          syncDirectory(file.directory, done);
        });
      });
    });
  });
}

function fill(fd: number, zeros: Uint8Array, at: number, sizeBytes: number, done: Done<void>): void {
  if (at === sizeBytes) {
    // One that was there may have been longer.
    ftruncate(fd, sizeBytes, (cutError) => {
      if (cutError !== null) return done(failureOf(cutError));
      fsync(fd, (error) => done(error === null ? DONE : failureOf(error)));
    });
    return;
  }
  write(fd, zeros, 0, Math.min(zeros.length, sizeBytes - at), at, (error, bytesWritten) => {
    if (error !== null) return done(failureOf(error));
    fdatasync(fd, (syncError) => {
      if (syncError !== null) return done(failureOf(syncError));
      fill(fd, zeros, at + bytesWritten, sizeBytes, done);
    });
  });
}

/** Makes names that were created, renamed or removed durable. */
export function syncDirectory(directory: string, done: Done<void>): void {
  open(directory, constants.O_RDONLY, (error, fd) => {
    if (error !== null) return done(failureOf(error));
    fsync(fd, (syncError) => {
      close(fd, () => done(syncError === null ? DONE : failureOf(syncError)));
    });
  });
}
