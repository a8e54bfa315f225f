/** Reads a stream from its first entry to its last and compares it with what its writer was told. */
import { Redis } from "ioredis";
import type { StreamWriter } from "./write-load.ts";

const PAGE = 5000;

export interface ReadBack {
  readonly entries: number;
  /** Acknowledged and not there. */
  readonly lost: number;
  /** Serial numbers that are there more than once. */
  readonly twice: number;
}

export async function readBack(url: string, writer: StreamWriter): Promise<ReadBack> {
  const redis = new Redis(url, { protocol: 2 });
  const times = new Uint8Array(writer.sent);
  let entries = 0;
  try {
    let from = "-";
    for (;;) {
      const page = await redis.xrange(writer.key, from, "+", "COUNT", PAGE);
      for (const [, fields] of page) times[Number(fields[1])]!++;
      entries += page.length;
      if (page.length < PAGE) break;
      from = `(${page.at(-1)![0]}`;
    }
  } finally {
    redis.disconnect();
  }
  let lost = 0;
  let twice = 0;
  for (const [serial, seen] of times.entries()) {
    if (seen === 0 && writer.isAcknowledged(serial)) lost++;
    if (seen > 1) twice++;
  }
  return { entries, lost, twice };
}
