/**
 * The log on real segment files that are damaged while nobody runs: a byte flipped and a file cut at every offset of small ones. Damage before the last block is
 * always told, with its place; in the last block, while nothing seals it, it is a torn tail; where nothing stands it is nothing. The room `log`
 * has the same for its own disk in memory.
 */
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type RecoveryOutcome, SharedLog, type WalConfig } from "@headrace/log";
import type { Clock, Logger, Scheduler, SegmentDisk } from "@headrace/ports";
import type { Entry } from "@headrace/raft-ts";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { describe, expect, test } from "vitest";
import { openSegmentDisk } from "../src/index.ts";

const MAGIC = Buffer.from("HDRW");
const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, child: () => silent };
const clock: Clock = { wallMs: () => 1_700_000_000_000, monotonicMs: () => performance.now() };
const scheduler: Scheduler = {
  soon: (task) => void setImmediate(task),
  after: (delayMs, task) => {
    const timer = setTimeout(task, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
};

/** Nothing is sealed but by closing. */
function configOf(segmentBytes: number): WalConfig {
  return { segmentBytes, maxWriteBytes: 1024, sealAfterMs: 1e9, fsync: "always" };
}

function entryOf(index: number, length: number): Entry {
  const data = new Uint8Array(length);
  for (let i = 0; i < length; i++) data[i] = (index * 31 + i * 7) & 0xff;
  return { index, term: 1, type: 0, data };
}

class OpenLog {
  readonly #disk: SegmentDisk;
  readonly #log: SharedLog;

  readonly #creations: Promise<void>[] = [];

  private constructor(disk: SegmentDisk, log: SharedLog) {
    this.#disk = disk;
    this.#log = log;
    const create = disk.create.bind(disk);
    disk.create = (sequence, sizeBytes, done) => {
      const created = Promise.withResolvers<void>();
      this.#creations.push(created.promise);
      create(sequence, sizeBytes, (result) => {
        created.resolve();
        done(result);
      });
    };
  }

  static async open(directory: string, segmentBytes: number): Promise<readonly [OpenLog, RecoveryOutcome]> {
    const disk = valueOf(
      await settleByWaiting<SegmentDisk>((done) =>
        openSegmentDisk(directory, { direct: isDirect(segmentBytes) }, done),
      ),
    );
    const log = new SharedLog(configOf(segmentBytes), disk, clock, scheduler, silent);
    const opened = new OpenLog(disk, log);
    return [opened, valueOf(await settleByWaiting<RecoveryOutcome>((done) => log.recover(done)))];
  }

  append(entry: Entry): Promise<void> {
    return new Promise((onDurable) => {
      const hardState = { term: 1, vote: 1, commit: 0 };
      this.#log.append({ groupId: 1, hardState, entries: [entry], mustSync: true, onWritten: null, onDurable });
    });
  }

  /** As a process that is killed: nothing more is written, but for a segment that is being made. */
  async abandon(): Promise<void> {
    this.#log.abandon();
    await Promise.all(this.#creations);
    await settleByWaiting<void>((done) => this.#disk.close(done));
  }

  async close(): Promise<void> {
    valueOf(await settleByWaiting<void>((done) => this.#log.close(done)));
    await Promise.all(this.#creations);
  }
}

interface Files {
  readonly directory: string;
  /** By name, in order; the last ones may have nothing but zeros. */
  readonly contents: ReadonlyMap<string, Buffer>;
  /** Where the last block begins. */
  readonly lastFile: string;
  readonly lastOffset: number;
}

/** Thousands of openings sync what they find: in memory where there is such a file system. It can't be written past the page cache everywhere. */
function folderFor(segmentBytes: number): string {
  return !isDirect(segmentBytes) && existsSync("/dev/shm") ? "/dev/shm" : tmpdir();
}

/** Only whole pages can be. */
function isDirect(segmentBytes: number): boolean {
  return segmentBytes % 4096 === 0;
}

/** Six entries, each in a block of its own, over several segments. */
async function withLog(
  segmentBytes: number,
  entryBytes: number,
  sealed: boolean,
  body: (files: Files) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(folderFor(segmentBytes), "headrace-log-"));
  try {
    const [log] = await OpenLog.open(directory, segmentBytes);
    for (let index = 1; index <= 6; index++) await log.append(entryOf(index, entryBytes));
    if (sealed) await log.close();
    else await log.abandon();
    const contents = new Map<string, Buffer>();
    for (const name of (await readdir(directory)).toSorted((a, b) => a.localeCompare(b))) {
      contents.set(name, await readFile(join(directory, name)));
    }
    const written = [...contents].filter(([, content]) => content.includes(MAGIC));
    expect(written.length).toBeGreaterThanOrEqual(3);
    const [lastFile, lastContent] = written[written.length - 1]!;
    await body({ directory, contents, lastFile, lastOffset: lastContent.lastIndexOf(MAGIC) });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Recovery writes, unless it finds damage: what was there comes back before the next look. */
async function restore({ directory, contents }: Files, onlyChanged: string | null): Promise<void> {
  if (onlyChanged !== null) return writeFile(join(directory, onlyChanged), contents.get(onlyChanged)!);
  for (const name of await readdir(directory)) if (!contents.has(name)) await rm(join(directory, name));
  for (const [name, content] of contents) await writeFile(join(directory, name), content);
}

type Verdict = "damaged" | "whole" | "torn";

async function look(files: Files, segmentBytes: number, entryBytes: number, place: string): Promise<Verdict> {
  const [log, outcome] = await OpenLog.open(files.directory, segmentBytes);
  if (outcome.kind !== "recovered") {
    await log.abandon();
    expect(outcome.kind, place).toBe("damaged");
    expect(outcome.message, place).toMatch(/segments? \d+.*(offset \d+|missing)/);
    return "damaged";
  }
  const entries = outcome.groups.get(1)?.entries ?? [];
  expect(
    entries.map(({ index, data }) => [index, Buffer.from(data).toString("hex")]),
    place,
  ).toEqual(entries.map((_, i) => [i + 1, Buffer.from(entryOf(i + 1, entryBytes).data).toString("hex")]));
  if (entries.length === 6) {
    await log.abandon();
    return "whole";
  }
  expect(entries.length, place).toBe(5);
  // The tail is gone for good: the same entry again, and it is there.
  await log.append(entryOf(6, entryBytes));
  await log.abandon();
  const [again, recovered] = await OpenLog.open(files.directory, segmentBytes);
  await again.abandon();
  expect(recovered.kind === "recovered" && recovered.groups.get(1)!.entries.length, place).toBe(6);
  return "torn";
}

/** What must come of a byte that is wrong there. */
function expected(files: Files, sealed: boolean, name: string, offset: number): Verdict {
  const content = files.contents.get(name)!;
  let end = 0;
  // Blocks stand one behind the other from the start.
  while (end + 40 <= content.length && content.subarray(end, end + 4).equals(MAGIC))
    end += 40 + content.readUInt32LE(end + 8);
  if (offset >= end) return "whole";
  const isLast = name === files.lastFile && offset >= files.lastOffset;
  if (!isLast) return "damaged";
  // The sealing block has nothing that could be lost.
  return sealed ? "whole" : "torn";
}

// Every byte of what stands in small files; and of larger ones, that are written past the page cache, every sixty-first.
describe.each([
  { segmentBytes: 1024, entryBytes: 230, step: 1, stepInZeros: 8 },
  { segmentBytes: 4096, entryBytes: 1300, step: 61, stepInZeros: 257 },
])("a log in files of $segmentBytes bytes", ({ segmentBytes, entryBytes, step, stepInZeros }) => {
  test.each([true, false])(
    "tells a flipped byte wherever it is, and what it means; sealed: %s",
    { timeout: 240_000 },
    (sealed) =>
      withLog(segmentBytes, entryBytes, sealed, async (files) => {
        const verdicts = { damaged: 0, whole: 0, torn: 0 };
        for (const [name, content] of files.contents) {
          for (let offset = 0; offset < content.length;) {
            const bytes = Buffer.from(content);
            bytes[offset]! ^= 1 << (offset % 8);
            await writeFile(join(files.directory, name), bytes);
            const place = `${name} flipped at ${offset}`;
            const verdict = await look(files, segmentBytes, entryBytes, place);
            await restore(files, verdict === "damaged" ? name : null);
            const wanted = expected(files, sealed, name, offset);
            expect(verdict, place).toBe(wanted);
            verdicts[verdict]++;
            offset += wanted === "whole" ? stepInZeros : step;
          }
        }
        expect(verdicts.damaged).toBeGreaterThan((5 * entryBytes) / step);
        expect(verdicts.torn > 0).toBe(!sealed);
      }),
  );

  test.each([true, false])("tells a file that was cut at any length; sealed: %s", { timeout: 240_000 }, (sealed) =>
    withLog(segmentBytes, entryBytes, sealed, async (files) => {
      for (const [name, content] of files.contents) {
        const path = join(files.directory, name);
        for (let length = content.length - 1; length >= 0; length -= length > 0 ? Math.min(length, step) : 1) {
          await truncate(path, length);
          expect(await look(files, segmentBytes, entryBytes, `${name} cut to ${length}`)).toBe("damaged");
        }
        await writeFile(path, content);
      }
    }),
  );

  test("tells a file that is missing before the last one that was written", () =>
    withLog(segmentBytes, entryBytes, true, async (files) => {
      for (const name of files.contents.keys()) {
        if (name === files.lastFile) break;
        await rm(join(files.directory, name));
        expect(await look(files, segmentBytes, entryBytes, `${name} missing`)).toBe("damaged");
        await restore(files, name);
      }
    }));
});
