/** Fills a store, and writes a stream that is to be read: entries with ids of one length, all of the same bytes, so that a reader can step over them. */
import { RawConnection } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";
import { requestBytes } from "./request-bytes.ts";

const PER_WRITE = 1000;
/** Of the first entry's id. */
export const FIRST_MS = 1_000_000_000_000;

/** Id of the entry with this number, from 0. */
export function filledId(serial: number): string {
  return `${FIRST_MS + serial}-0`;
}

/** Each entry has the one field `f`. */
export function fillStream(port: number, key: string, entries: number, valueBytes: number): Promise<void> {
  const value = "x".repeat(valueBytes);
  return fill(port, entries, (serial) => ["XADD", key, filledId(serial), "f", value]);
}

/** Requests 0 … count − 1, a thousand in flight. Rejects with the first error reply. */
export async function fill(port: number, count: number, request: (serial: number) => readonly string[]): Promise<void> {
  const connection = await RawConnection.open(port);
  const counter = new ReplyCounter();
  let written = 0;
  const batch = (): Buffer => {
    const parts: Buffer[] = [];
    for (; parts.length < PER_WRITE && written < count; written++) parts.push(requestBytes(request(written)));
    return Buffer.concat(parts);
  };
  await new Promise<void>((filled, failed) => {
    connection.listen((bytes, length) => {
      counter.feed(bytes, 0, length);
      if (counter.errors > 0) failed(new Error(counter.firstError));
      else if (counter.replies === count) filled();
      else if (counter.replies === written) connection.write(batch());
    }, failed);
    connection.write(batch());
  });
  connection.close();
}
