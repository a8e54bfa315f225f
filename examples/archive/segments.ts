/**
 * The files of an archive: `<first id>.jsonl`, one entry a line, `["1692632086370-0",["field","value",…]]`. Files are in the order of ids, and each is there
 * whole or not at all: it is written and synced under another name, and then linked to its own, which fails where somebody else has made it.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

export type ArchivedEntry = readonly [id: string, fields: readonly string[]];

/** Names in the order of ids; behind that of `after`, if it is given. */
export function segmentNames(directory: string, after: string = ""): readonly string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith(".jsonl") && name > after)
    .sort();
}

export function readSegment(directory: string, name: string): readonly ArchivedEntry[] {
  const lines = readFileSync(join(directory, name), "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as ArchivedEntry);
}

/** Of the last entry that is archived; null: nothing is. */
export function lastArchivedId(directory: string): string | null {
  const last = segmentNames(directory).at(-1);
  return last === undefined ? null : readSegment(directory, last).at(-1)![0];
}

/** On the disk when it returns. False: somebody else has written a file that begins with the same entry. */
export function writeSegment(directory: string, entries: readonly ArchivedEntry[]): boolean {
  mkdirSync(directory, { recursive: true });
  const name = nameOf(entries[0]![0]);
  const draft = join(directory, `${name}.${process.pid}`);
  const file = openSync(draft, "w");
  writeFileSync(file, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
  fsyncSync(file);
  closeSync(file);
  try {
    linkSync(draft, join(directory, name));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    return false;
  } finally {
    rmSync(draft);
  }
  // The name, too, has to be there after a power loss.
  const folder = openSync(directory, "r");
  fsyncSync(folder);
  closeSync(folder);
  return true;
}

/** Both halves of an id as 20 digits: names sort as ids do. */
function nameOf(id: string): string {
  const [ms, seq] = id.split("-");
  return `${ms!.padStart(20, "0")}-${seq!.padStart(20, "0")}.jsonl`;
}
