import { constants } from "node:fs";
import { mkdtemp, readdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SegmentDisk } from "@headrace/ports";
import { segmentDiskConformance } from "@headrace/testkit/conformance/segment-disk.ts";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
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

for (const blockingWriteBytesMax of [0, 4096]) {
  segmentDiskConformance(`the disk of files (blocking up to ${blockingWriteBytesMax})`, async () => {
    const directory = await mkdtemp(join(tmpdir(), "headrace-wal-"));
    return {
      disk: await open(directory, { blockingWriteBytesMax }),
      settle: settleByWaiting,
      reopen: () => open(directory, { blockingWriteBytesMax }),
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
