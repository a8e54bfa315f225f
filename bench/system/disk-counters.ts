/** What the kernel itself has counted for the device under a directory: writes and flushes. Linux only; elsewhere null. */
import { existsSync, readFileSync, readlinkSync, statSync } from "node:fs";

export interface DiskCounters {
  readonly writes: number;
  readonly flushes: number;
  readonly bytesWritten: number;
}

export function readDiskCounters(directory: string): DiskCounters | null {
  if (!existsSync("/proc/diskstats")) return null;
  const device = statSync(directory).dev;
  const major = (device >> 8) & 0xfff;
  const minor = (device & 0xff) | ((device >> 12) & 0xfff00);
  // A partition has no flush counter of its own: then its disk is read.
  let numbers = `${major} ${minor}`;
  const sys = `/sys/dev/block/${major}:${minor}`;
  if (existsSync(`${sys}/partition`)) {
    const parent = readlinkSync(sys).split("/").at(-2)!;
    numbers = readFileSync(`/sys/block/${parent}/dev`, "utf8").trim().replace(":", " ");
  }
  for (const line of readFileSync("/proc/diskstats", "utf8").split("\n")) {
    const fields = line.trim().split(/\s+/);
    if (`${fields[0]} ${fields[1]}` !== numbers) continue;
    return { writes: Number(fields[7]), bytesWritten: Number(fields[9]) * 512, flushes: Number(fields[18] ?? 0) };
  }
  return null;
}
