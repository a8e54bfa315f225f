import { execFileSync } from "node:child_process";
import { constants } from "node:fs";
import { link, mkdtemp, readdir, readFile, readlink, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SegmentDisk } from "@headrace/ports";
import { segmentDiskConformance } from "@headrace/testkit/conformance/segment-disk.ts";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { openSegmentDisk, type SegmentDiskOptions } from "../src/index.ts";

async function open(directory: string, options: SegmentDiskOptions = {}): Promise<SegmentDisk> {
  return valueOf(await settleByWaiting<SegmentDisk>((done) => openSegmentDisk(directory, options, done)));
}

async function inDirectory(body: (directory: string) => Promise<void>): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), "headrace-wal-"));
  try {
    await body(directory);
  } finally {
    await rm(directory, { recursive: true });
  }
}

const variants: readonly SegmentDiskOptions[] = [{}, { direct: false }, { blockingWriteBytesMax: 4096 }];
for (const options of variants) {
  segmentDiskConformance(`the disk of files ${JSON.stringify(options)}`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "headrace-wal-"));
    return {
      disk: await open(directory, options),
      settle: settleByWaiting,
      reopen: () => open(directory, options),
      cleanUp: () => rm(directory, { recursive: true }),
    };
  });
}

/** Flags of this process' descriptors of the file, as the kernel tells them. */
async function descriptorFlags(path: string): Promise<number[]> {
  const flags: number[] = [];
  for (const fd of await readdir("/proc/self/fd")) {
    // The descriptor of the listing itself is gone by now.
    const target = await readlink(`/proc/self/fd/${fd}`).catch(() => "");
    if (target !== path) continue;
    const info = await readFile(`/proc/self/fdinfo/${fd}`, "latin1");
    flags.push(Number.parseInt(/^flags:\s*([0-7]+)$/m.exec(info)![1]!, 8));
  }
  return flags;
}

describe("appends of any length, durable or not, and writes in between", () => {
  const SIZE_BYTES = 6 * 1024 * 1024;
  const step = fc.record({
    lengths: fc.array(fc.oneof(fc.nat(300), fc.nat(9000), fc.constantFrom(4096, 8192, 2_500_000)), { maxLength: 5 }),
    durable: fc.boolean(),
    reopens: fc.boolean(),
    /** Written again somewhere in what is there already, as recovery does with zeros. */
    again: fc.option(fc.nat(SIZE_BYTES), { freq: 4 }),
  });

  for (const options of variants) {
    test(`leave exactly these bytes and zeros behind them ${JSON.stringify(options)}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 12 }), (steps) =>
          inDirectory(async (directory) => {
            const expected = new Uint8Array(SIZE_BYTES);
            let disk = await open(directory, options);
            valueOf(await settleByWaiting<void>((done) => disk.create(1, SIZE_BYTES, done)));
            let at = 0;
            let fill = 0;
            for (const { lengths, durable, reopens, again } of steps) {
              if (reopens) {
                valueOf(await settleByWaiting<void>((done) => disk.close(done)));
                disk = await open(directory, options);
              }
              const chunks = lengths.map((length) => new Uint8Array(length).fill((fill++ % 255) + 1));
              const bytes = Buffer.concat(chunks);
              if (at + bytes.length > SIZE_BYTES) break;
              expected.set(bytes, at);
              valueOf(await settleByWaiting<void>((done) => disk.write(1, at, chunks, durable, done)));
              at += bytes.length;
              if (again === null || again + 5000 > at) continue;
              expected.fill(0, again, again + 5000);
              const zeros = [new Uint8Array(5000)];
              valueOf(await settleByWaiting<void>((done) => disk.write(1, again, zeros, durable, done)));
            }
            const read = valueOf(await settleByWaiting<Uint8Array>((done) => disk.read(1, 0, SIZE_BYTES, done)));
            expect(Buffer.compare(read, expected)).toBe(0);
            valueOf(await settleByWaiting<void>((done) => disk.close(done)));
          }),
        ),
        { numRuns: 15 },
      );
    });
  }
});

const SEGMENT_BYTES = 64 * 1024;

describe("the segment files", () => {
  test.skipIf(process.platform !== "linux")("hold the open segment with O_DSYNC, and no longer the ones before", () =>
    inDirectory(async (directory) => {
      const disk = await open(directory);
      for (const sequence of [1, 2]) {
        valueOf(await settleByWaiting<void>((done) => disk.create(sequence, 8192, done)));
        valueOf(await settleByWaiting<void>((done) => disk.write(sequence, 0, [new Uint8Array(8)], true, done)));
      }
      valueOf(await settleByWaiting<void>((done) => disk.sync(2, done)));
      const flags = await descriptorFlags(join(directory, "wal-0000000000000002.seg"));
      expect(flags.filter((flag) => (flag & constants.O_DSYNC) !== 0)).toHaveLength(1);
      expect(flags).toHaveLength(2);
      expect(await descriptorFlags(join(directory, "wal-0000000000000001.seg"))).toEqual([]);
      valueOf(await settleByWaiting<void>((done) => disk.close(done)));
      expect(await descriptorFlags(join(directory, "wal-0000000000000002.seg"))).toEqual([]);
    }),
  );

  test("of removed segments are used again for new ones, filled with zeros; no more of them are kept than a few", () =>
    inDirectory(async (directory) => {
      const disk = await open(directory);
      const inodes = async (): Promise<number[]> => {
        const names = await readdir(directory);
        return Promise.all(names.map(async (name) => (await stat(join(directory, name))).ino));
      };
      for (let sequence = 1; sequence <= 7; sequence++) {
        valueOf(await settleByWaiting<void>((done) => disk.create(sequence, SEGMENT_BYTES, done)));
        const ones = new Uint8Array(SEGMENT_BYTES).fill(1);
        valueOf(await settleByWaiting<void>((done) => disk.write(sequence, 0, [ones], true, done)));
      }
      const before = new Set(await inodes());
      for (let sequence = 1; sequence <= 6; sequence++)
        valueOf(await settleByWaiting<void>((done) => disk.remove(sequence, done)));
      expect(await readdir(directory)).toHaveLength(1 + 4);
      expect(valueOf(await settleByWaiting(disk.list.bind(disk)))).toEqual([{ sequence: 7, sizeBytes: SEGMENT_BYTES }]);
      // The last one shorter than the file that it is made of.
      for (let sequence = 8; sequence <= 11; sequence++) {
        const sizeBytes = sequence === 11 ? SEGMENT_BYTES / 2 : SEGMENT_BYTES;
        valueOf(await settleByWaiting<void>((done) => disk.create(sequence, sizeBytes, done)));
        const read = valueOf(await settleByWaiting<Uint8Array>((done) => disk.read(sequence, 0, SEGMENT_BYTES, done)));
        expect(read.length).toBe(sizeBytes);
        expect(read.every((byte) => byte === 0)).toBe(true);
      }
      expect((await inodes()).every((inode) => before.has(inode))).toBe(true);
      valueOf(await settleByWaiting<void>((done) => disk.close(done)));
      // What is left over belongs to nobody after a restart.
      await open(directory);
      expect((await readdir(directory)).filter((name) => name.endsWith(".tmp"))).toEqual([]);
    }));

  test.skipIf(process.platform === "win32")("of segments that are being read are not used again", () =>
    inDirectory(async (directory) => {
      const logDirectory = join(directory, "log");
      const disk = await open(logDirectory);
      // A read of this one is under way until somebody writes to it.
      const pipe = join(directory, "pipe");
      execFileSync("mkfifo", [pipe]);
      await link(pipe, join(logDirectory, "wal-0000000000000001.seg"));
      const reading = settleByWaiting<Uint8Array>((done) => disk.read(1, 0, SEGMENT_BYTES, done));
      valueOf(await settleByWaiting<void>((done) => disk.remove(1, done)));
      expect(await readdir(logDirectory)).toEqual([]);
      await writeFile(pipe, "");
      await reading;
      valueOf(await settleByWaiting<void>((done) => disk.close(done)));
    }),
  );

  test("that were not finished are removed when the disk is opened; other files are left alone", () =>
    inDirectory(async (directory) => {
      await writeFile(join(directory, "wal-0000000000000003.tmp"), "half");
      await writeFile(join(directory, "notes.txt"), "mine");
      const disk = await open(directory);
      expect(valueOf(await settleByWaiting(disk.list.bind(disk)))).toEqual([]);
      expect(await readdir(directory)).toEqual(["notes.txt"]);
    }));

  test.skipIf(process.platform !== "linux")("report a full disk as space, and nothing half made is left", () =>
    inDirectory(async (directory) => {
      const disk = await open(directory);
      valueOf(await settleByWaiting<void>((done) => disk.create(1, 8192, done)));
      await rm(join(directory, "wal-0000000000000001.seg"));
      // Writes to this device always answer ENOSPC.
      await import("node:fs/promises").then((fs) =>
        fs.symlink("/dev/full", join(directory, "wal-0000000000000001.seg")),
      );
      const written = await settleByWaiting<void>((done) => disk.write(1, 0, [new Uint8Array(8)], true, done));
      expect(written).toMatchObject({ ok: false, reason: "space" });
    }),
  );
});
