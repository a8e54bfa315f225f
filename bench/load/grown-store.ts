/**
 * A store that grows from one measurement to the next: some streams of the same length, whose entries have the ids of their serial numbers and values that
 * cannot be compressed. Whoever comes next asks how long they are, and goes on from there.
 */
import { randomBytes } from "node:crypto";
import { ask } from "./ask.ts";
import { closedLoop, type Turn } from "./closed-loop.ts";
import { FIRST_MS } from "./fill.ts";
import { NumberedBatch } from "./numbered-batch.ts";
import { RawConnection } from "./raw-connection.ts";

/** All shards of a cluster get some. */
export const GROWN_STREAMS = 8;
const ID_DIGITS = String(FIRST_MS).length;
const FILL_IN_FLIGHT = 500;
/** So many values of a stream are different: more than a compressor of blocks looks back at. */
const VALUES = 1000;

export function grownKey(stream: number): string {
  return `grown:${stream}`;
}

/** Appends to one stream; batches of so many entries. */
export class GrownStream {
  readonly #batches: readonly NumberedBatch[];
  #length: number;
  #turns = 0;

  constructor(stream: number, length: number, valueBytes: number, perBatch: number) {
    const key = grownKey(stream);
    this.#length = length;
    this.#batches = Array.from(
      { length: Math.max(1, Math.ceil(VALUES / perBatch)) },
      () =>
        new NumberedBatch(perBatch, ID_DIGITS, (digits) => [
          "XADD",
          key,
          `${digits}-0`,
          "f",
          randomBytes(valueBytes).toString("latin1"),
        ]),
    );
  }

  /** Entries, what was given out included. */
  get length(): number {
    return this.#length;
  }

  next(): Turn {
    const batch = this.#batches[this.#turns++ % this.#batches.length]!;
    for (let i = 0; i < batch.size; i++) batch.set(i, FIRST_MS + this.#length++);
    return { bytes: batch.bytes, requests: batch.size };
  }
}

export async function lengthOf(port: number, stream: number): Promise<number> {
  return Number((await ask(port, ["XLEN", grownKey(stream)])).slice(1));
}

/** Until there are so many entries in all, or a few more; entries that are there stay. */
export async function growStore(port: number, entries: number, valueBytes: number): Promise<void> {
  const wanted = Math.ceil(entries / GROWN_STREAMS);
  const perBatch = Math.min(FILL_IN_FLIGHT, wanted);
  const grown = async (stream: number): Promise<void> => {
    const length = await lengthOf(port, stream);
    if (length >= wanted) return;
    const connection = await RawConnection.open(port);
    const appends = new GrownStream(stream, length, valueBytes, perBatch);
    const next = (): Turn | null => (appends.length < wanted ? appends.next() : null);
    try {
      await closedLoop(connection, next, () => undefined);
    } finally {
      connection.close();
    }
  };
  await Promise.all(Array.from({ length: GROWN_STREAMS }, (_, stream) => grown(stream)));
}
