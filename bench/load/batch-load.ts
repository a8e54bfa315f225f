/** Batches in a closed loop, as redis-benchmark sends them: a write, all its replies, the next write. With WAIT, that is one request more in each. */
import { LatencyHistogram } from "./histogram.ts";
import type { BatchWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection, SMALL_BUFFER_BYTES } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";
import { requestBytes, scatter } from "./request-bytes.ts";

/** Where there are many keys: so many different batches a connection, in turn. */
const BATCHES_OF_MANY_KEYS = 50;
/** From so many connections on, each has a small buffer. */
const MANY_CONNECTIONS = 100;

export class BatchLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: BatchWork;
  readonly #connections: RawConnection[] = [];
  #stopped = false;

  constructor(port: number, work: BatchWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    const { connections } = this.#work;
    const bufferBytes = connections >= MANY_CONNECTIONS ? SMALL_BUFFER_BYTES : undefined;
    for (let i = 0; i < connections; i++) this.#connections.push(await RawConnection.open(this.#port, bufferBytes));
  }

  start(failed: (error: Error) => void): void {
    for (const [at, connection] of this.#connections.entries()) this.#run(connection, batches(this.#work, at), failed);
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of this.#connections) connection.close();
  }

  #run(connection: RawConnection, batch: readonly Buffer[], failed: (error: Error) => void): void {
    const { inFlight, wait } = this.#work;
    const perBatch = wait === null ? inFlight : inFlight + 1;
    const counter = new ReplyCounter();
    let next = 0;
    let missing = perBatch;
    let sentMs = 0;
    const send = (): void => {
      sentMs = performance.now();
      missing = perBatch;
      connection.write(batch[next]!);
      next = next + 1 === batch.length ? 0 : next + 1;
    };
    connection.listen((bytes, length) => {
      missing -= counter.feed(bytes, 0, length);
      if (counter.errors > 0) return failed(new Error(counter.firstError));
      if (missing > 0) return;
      if (missing < 0) return failed(new Error("more replies than requests"));
      if (wait !== null && counter.lastInteger < wait) return failed(new Error(`WAIT ${wait}: ${counter.lastInteger}`));
      this.operations += inFlight;
      this.latencies.record(performance.now() - sentMs);
      if (!this.#stopped) send();
    }, failed);
    send();
  }
}

/** What a connection sends in turn. */
export function batches(work: BatchWork, connection: number): readonly Buffer[] {
  const { keys, requests, inFlight, wait } = work;
  const key = scatter(connection * 7919 + 1, keys.length);
  return Array.from({ length: keys.length > 1 ? BATCHES_OF_MANY_KEYS : 1 }, () => {
    const parts: Buffer[] = [];
    for (let i = 0; i < inFlight; i++) {
      const name = keys[key()]!;
      parts.push(requestBytes(requests[i % requests.length]!.map((word) => word.replace("{key}", name))));
    }
    if (wait !== null) parts.push(requestBytes(["WAIT", String(wait), "0"]));
    return Buffer.concat(parts);
  });
}
