/**
 * What a data directory must look like before anything is written into it. A directory is ours when it is empty or carries our marker with a
 * format that this program knows; anything else is refused with one line that says why.
 */
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export const DATA_FORMAT_VERSION = 1;
const MARKER = "headrace.json";

/** The world (or the operator's choice of directory) does not allow a start. Exit code 1. */
export class StartError extends Error {
  override name: string = "StartError";
}

export interface DirectoryMarker {
  readonly formatVersion: number;
  /** What the directory belongs to: the whole local cluster or one node. */
  readonly kind: "cluster" | "node";
  /** Facts that are fixed at founding, for `cluster`. */
  readonly fixed: Readonly<Record<string, number>>;
  /** The backup that it is founded from, and whether all of it is there. */
  readonly origin?: Origin;
}

export interface Origin {
  readonly backupId: string;
  readonly isRestored: boolean;
}

/**
 * Makes sure that `directory` exists, can be written and is ours. `fixed`: what is written down when it is new; and from which backup it is
 * founded, null: from none.
 */
export function claimDirectory(
  directory: string,
  kind: DirectoryMarker["kind"],
  fixed: Readonly<Record<string, number>>,
  backupId: string | null = null,
): void {
  if (inspectDirectory(directory, kind, {}) !== null) return;
  const marker: DirectoryMarker = { formatVersion: DATA_FORMAT_VERSION, kind, fixed };
  const origin = { backupId: backupId ?? "", isRestored: false };
  writeMarker(join(directory, MARKER), backupId === null ? marker : { ...marker, origin });
}

/** Of a directory that was inspected; null: it was founded from no backup, or is new. */
export function originOf(directory: string): Origin | null {
  const path = join(directory, MARKER);
  return existsSync(path) ? (readMarker(directory, path).origin ?? null) : null;
}

/** The backup is restored: from now on it is a cluster like any other. */
export function finishRestoring(directory: string): void {
  const path = join(directory, MARKER);
  const marker = readMarker(directory, path);
  if (marker.origin !== undefined) writeMarker(path, { ...marker, origin: { ...marker.origin, isRestored: true } });
}

/**
 * The facts that are fixed in the directory; null when it is new, it is then created but not marked. What is `asked` for (null: nothing) must agree
 * with them.
 */
export function inspectDirectory(
  directory: string,
  kind: DirectoryMarker["kind"],
  asked: Readonly<Record<string, number | null>>,
): Readonly<Record<string, number>> | null {
  try {
    mkdirSync(directory, { recursive: true });
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new StartError(`data directory ${directory} cannot be written: ${(error as Error).message}`);
  }
  const path = join(directory, MARKER);
  if (!existsSync(path)) {
    const strangers = readdirSync(directory).filter((name) => name !== "lost+found" && !name.startsWith("."));
    if (strangers.length > 0) {
      throw new StartError(
        `data directory ${directory} is not empty and not Headrace's (found ${strangers[0]}); choose another with --data`,
      );
    }
    return null;
  }
  const marker = readMarker(directory, path);
  if (marker.formatVersion > DATA_FORMAT_VERSION) {
    throw new StartError(
      `data directory ${directory} has format ${marker.formatVersion}, written by a newer Headrace; this one knows ${DATA_FORMAT_VERSION}`,
    );
  }
  if (marker.kind !== kind) {
    throw new StartError(
      `data directory ${directory} belongs to a ${marker.kind}, not to a ${kind}; choose another with --data`,
    );
  }
  for (const [name, value] of Object.entries(asked)) {
    const was = marker.fixed[name];
    if (value !== null && was !== undefined && was !== value) {
      throw new StartError(
        `--${name} ${value} contradicts the data in ${directory}, which was founded with ${name} ${was}`,
      );
    }
  }
  return marker.fixed;
}

function readMarker(directory: string, path: string): DirectoryMarker {
  try {
    const marker = JSON.parse(readFileSync(path, "utf8")) as Partial<DirectoryMarker>;
    if (typeof marker.formatVersion === "number" && (marker.kind === "cluster" || marker.kind === "node")) {
      const { formatVersion, kind, fixed, origin } = marker;
      return { formatVersion, kind, fixed: fixed ?? {}, ...(origin === undefined ? {} : { origin }) };
    }
  } catch (error) {
    throw new StartError(`data directory ${directory}: ${MARKER} cannot be read: ${(error as Error).message}`);
  }
  throw new StartError(
    `data directory ${directory} is not Headrace's: ${MARKER} has another form; choose another with --data`,
  );
}

function writeMarker(path: string, marker: DirectoryMarker): void {
  try {
    writeFileSync(`${path}.new`, `${JSON.stringify(marker)}\n`);
    renameSync(`${path}.new`, path);
  } catch (error) {
    throw new StartError(`data directory cannot be written: ${(error as Error).message}`);
  }
}
