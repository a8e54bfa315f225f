/**
 * How soon an entry reaches a reader that is blocked: producer and reader have a connection each, in this one process, so one clock. The next entry is
 * written a little after the reader has acknowledged the last one and waits again.
 */
import { ask } from "./ask.ts";
import { GroupReply } from "./group-reply.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { DeliverWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";
import { bulk, requestBytes } from "./request-bytes.ts";

const KEY = "bench:deliver";
const GROUP = "g";
/** So that the reader is blocked again, with its acknowledgement on disk. */
const PAUSE_MS = 3;

export class DeliverLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: DeliverWork;
  #producer: RawConnection | null = null;
  #reader: RawConnection | null = null;
  #stopped = false;

  constructor(port: number, work: DeliverWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    await ask(this.#port, ["XGROUP", "CREATE", KEY, GROUP, "0", "MKSTREAM"]);
    this.#producer = await RawConnection.open(this.#port);
    this.#reader = await RawConnection.open(this.#port);
  }

  start(failed: (error: Error) => void): void {
    const [producer, reader] = [this.#producer!, this.#reader!];
    const value = "x".repeat(this.#work.valueBytes);
    const add = requestBytes(["XADD", KEY, "*", "f", value]);
    const read = requestBytes(["XREADGROUP", "GROUP", GROUP, "c", "COUNT", "1", "BLOCK", "0", "STREAMS", KEY, ">"]);
    const ackHead = Buffer.from(`*4\r\n${bulk("XACK")}${bulk(KEY)}${bulk(GROUP)}`);
    const reply = new GroupReply(KEY, 1, `*2\r\n${bulk("f")}${bulk(value)}`.length);
    const counter = new ReplyCounter();
    let sentMs = 0;
    const produce = (): void => {
      if (this.#stopped) return;
      sentMs = performance.now();
      producer.write(add);
    };
    producer.listen((bytes, length) => {
      counter.feed(bytes, 0, length);
      if (counter.errors > 0) failed(new Error(counter.firstError));
    }, failed);
    reader.listen((bytes, length) => {
      try {
        if (!reply.feed(bytes, length)) return;
      } catch (error) {
        return failed(error as Error);
      }
      this.latencies.record(performance.now() - sentMs);
      this.operations++;
      const ids = Buffer.from(reply.idBytes.subarray(0, reply.idLength));
      reply.expect(true);
      reader.write(Buffer.concat([ackHead, ids, read]));
      setTimeout(produce, PAUSE_MS);
    }, failed);
    reply.expect(false);
    reader.write(read);
    setTimeout(produce, 100);
  }

  stop(): void {
    this.#stopped = true;
    this.#producer?.close();
    this.#reader?.close();
  }
}
