/**
 * One consumer of the group on one stream: reads, counts, acknowledges. After a lost reply it first reads its own pending entries: they were
 * delivered, but perhaps the delivery never arrived here, or the acknowledgement did not arrive there.
 */
import { setTimeout as pause } from "node:timers/promises";
import type { Redis } from "ioredis";
import { GROUP, streamName } from "./flights.ts";

type Entry = [id: string, fields: string[] | null];
type StreamReply = [key: string, entries: Entry[]][] | null;

export class Deliveries {
  /** Times each row was handed to a consumer. */
  readonly perRow: Uint8Array;
  delivered = 0;
  distinct = 0;

  constructor(rows: number) {
    this.perRow = new Uint8Array(rows);
  }

  note(row: number): void {
    this.delivered++;
    if (this.perRow[row] === 0) this.distinct++;
    this.perRow[row]!++;
  }
}

export async function consume(
  redis: Redis,
  stream: number,
  name: string,
  deliveries: Deliveries,
  finished: () => boolean,
): Promise<void> {
  const key = streamName(stream);
  let from = "0";
  let emptyAfterFinish = 0;
  while (emptyAfterFinish < 2) {
    const wasFinished = finished();
    try {
      const reply = (await redis.xreadgroup(
        "GROUP",
        GROUP,
        name,
        "COUNT",
        256,
        "BLOCK",
        250,
        "STREAMS",
        key,
        from,
      )) as StreamReply;
      const entries = reply?.[0]?.[1] ?? [];
      if (entries.length > 0) {
        for (const [, fields] of entries) if (fields !== null) deliveries.note(Number(fields[1]));
        await redis.xack(key, GROUP, ...entries.map(([id]) => id));
        emptyAfterFinish = 0;
      } else if (from === "0") {
        from = ">";
      } else if (wasFinished) {
        emptyAfterFinish++;
      }
    } catch {
      from = "0";
      await pause(20);
    }
  }
}
