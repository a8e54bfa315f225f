/**
 * XRANGE pages from random places. The first page of each connection is parsed; since all entries have the same length, so have all pages, and each later one
 * is compared by length, first and last bytes.
 */
import { skipReply } from "@headrace/resp";
import { filledId, fillStream } from "./fill.ts";
import { growStore, GROWN_STREAMS, grownKey } from "./grown-store.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { RangeWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";
import { requestBytes, scatter } from "./request-bytes.ts";

const KEY = "bench:ranges";
const PLACES = 512;
/** In a store that is larger than memory: no page is asked for twice. */
const GROWN_PLACES = 20_000;
const LF = 10;

export class RangeLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: RangeWork;
  readonly #connections: RawConnection[] = [];
  #stopped = false;

  constructor(port: number, work: RangeWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    const { entries, valueBytes, isGrown } = this.#work;
    if (isGrown === true) await growStore(this.#port, entries, valueBytes);
    else await fillStream(this.#port, KEY, entries, valueBytes);
    for (let i = 0; i < this.#work.connections; i++) this.#connections.push(await RawConnection.open(this.#port));
  }

  start(failed: (error: Error) => void): void {
    for (const [at, connection] of this.#connections.entries()) this.#run(connection, at, failed);
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of this.#connections) connection.close();
  }

  #run(connection: RawConnection, at: number, failed: (error: Error) => void): void {
    const { count } = this.#work;
    const requests = pageRequests(this.#work, at);
    const head = Buffer.from(`*${count}\r\n`);
    let first: Buffer = Buffer.alloc(0);
    /** Bytes of every page; 0 until the first is there. */
    let pageLength = 0;
    let had = 0;
    let next = 0;
    let sentMs = 0;
    const send = (): void => {
      sentMs = performance.now();
      connection.write(requests[next++ % requests.length]!);
    };
    const complete = (): void => {
      this.operations += count;
      this.latencies.record(performance.now() - sentMs);
      had = 0;
      if (!this.#stopped) send();
    };
    connection.listen((bytes, length) => {
      if (pageLength === 0) {
        first = Buffer.concat([first, bytes.subarray(0, length)]);
        if (skipReply(first, 0, first.length) !== first.length) return;
        if (!first.subarray(0, head.length).equals(head)) return failed(new Error(first.toString("latin1", 0, 100)));
        pageLength = first.length;
        complete();
        return;
      }
      if (had === 0 && !bytes.subarray(0, head.length).equals(head)) {
        return failed(new Error(bytes.toString("latin1", 0, Math.min(length, 100))));
      }
      had += length;
      if (had < pageLength) return;
      if (had > pageLength || bytes[length - 1] !== LF) return failed(new Error("a page of another length"));
      complete();
    }, failed);
    send();
  }
}

/** What a connection asks for in turn. */
export function pageRequests({ count, entries, isGrown }: RangeWork, connection: number): readonly Buffer[] {
  const streams = isGrown === true ? GROWN_STREAMS : 1;
  const place = scatter(connection * 7919 + 1, Math.floor(entries / streams) - count);
  return Array.from({ length: isGrown === true ? GROWN_PLACES : PLACES }, (_, i) => {
    const key = isGrown === true ? grownKey((connection + i) % streams) : KEY;
    return requestBytes(["XRANGE", key, filledId(place()), "+", "COUNT", String(count)]);
  });
}
