/**
 * Consumers of one group in lock-step: XACK of what was read and XREADGROUP of the next entries in one write. When all was read, the group is set back to the
 * first entry: its pending list is empty then but for what the other consumers have at hand.
 */
import { ask } from "./ask.ts";
import { fillStream } from "./fill.ts";
import { GroupReply } from "./group-reply.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { ConsumeWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";
import { bulk, requestBytes } from "./request-bytes.ts";

const KEY = "bench:consume";
const GROUP = "g";

export class ConsumeLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: ConsumeWork;
  readonly #connections: RawConnection[] = [];
  #stopped = false;

  constructor(port: number, work: ConsumeWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    await fillStream(this.#port, KEY, this.#work.entries, this.#work.valueBytes);
    await ask(this.#port, ["XGROUP", "CREATE", KEY, GROUP, "0"]);
    for (let i = 0; i < this.#work.consumers; i++) this.#connections.push(await RawConnection.open(this.#port));
  }

  start(failed: (error: Error) => void): void {
    for (const [at, connection] of this.#connections.entries()) this.#run(connection, `c${at}`, failed);
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of this.#connections) connection.close();
  }

  #run(connection: RawConnection, consumer: string, failed: (error: Error) => void): void {
    const { count, valueBytes } = this.#work;
    const fields = `*2\r\n${bulk("f")}${bulk("x".repeat(valueBytes))}`;
    const reply = new GroupReply(KEY, count, fields.length);
    const read = requestBytes(["XREADGROUP", "GROUP", GROUP, consumer, "COUNT", String(count), "STREAMS", KEY, ">"]);
    const setBack = Buffer.concat([requestBytes(["XGROUP", "SETID", KEY, GROUP, "0"]), read]);
    const request = Buffer.allocUnsafe(128 + reply.idBytes.length + read.length);
    let sentMs = 0;
    let isSettingBack = false;
    const send = (bytes: Buffer): void => {
      sentMs = performance.now();
      connection.write(bytes);
    };
    connection.listen((bytes, length) => {
      let from = 0;
      if (isSettingBack) {
        // `+OK\r\n`, which comes in one piece.
        if (bytes[0] !== 43) return failed(new Error(bytes.toString("latin1", 0, Math.min(length, 200))));
        from = 5;
        isSettingBack = false;
      }
      try {
        if (!reply.feed(bytes.subarray(from, length), length - from)) return;
      } catch (error) {
        return failed(error as Error);
      }
      if (this.#stopped) return;
      if (reply.entries === 0) {
        reply.expect(false);
        isSettingBack = true;
        send(setBack);
        return;
      }
      this.operations += reply.entries;
      this.latencies.record(performance.now() - sentMs);
      const head = `*${3 + reply.entries}\r\n${bulk("XACK")}${bulk(KEY)}${bulk(GROUP)}`;
      let end = request.write(head, 0, "latin1");
      end += reply.idBytes.copy(request, end, 0, reply.idLength);
      end += read.copy(request, end);
      reply.expect(true);
      send(request.subarray(0, end));
    }, failed);
    reply.expect(false);
    send(read);
  }
}
