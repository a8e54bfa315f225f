/** XADD to a store that has so many entries already: each connection appends batches to a stream of its own. */
import { closedLoop } from "./closed-loop.ts";
import { growStore, GROWN_STREAMS, GrownStream, lengthOf } from "./grown-store.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { GrowWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";

interface Lane {
  readonly connection: RawConnection;
  readonly stream: GrownStream;
}

export class GrowLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: GrowWork;
  readonly #lanes: Lane[] = [];
  #stopped = false;

  constructor(port: number, work: GrowWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    const { entries, valueBytes, inFlight } = this.#work;
    await growStore(this.#port, entries, valueBytes);
    for (let at = 0; at < GROWN_STREAMS; at++) {
      const length = await lengthOf(this.#port, at);
      const stream = new GrownStream(at, length, valueBytes, inFlight);
      this.#lanes.push({ connection: await RawConnection.open(this.#port), stream });
    }
  }

  start(failed: (error: Error) => void): void {
    for (const { connection, stream } of this.#lanes) {
      const answered = (requests: number, tookMs: number): void => {
        this.operations += requests;
        this.latencies.record(tookMs);
      };
      closedLoop(connection, () => (this.#stopped ? null : stream.next()), answered).catch(failed);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const { connection } of this.#lanes) connection.close();
  }
}
