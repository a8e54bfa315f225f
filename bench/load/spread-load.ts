/** XADD in batches, each request to any one of very many streams, all of which are there before the load begins. */
import { closedLoop, type Turn } from "./closed-loop.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { SpreadWork } from "./job.ts";
import type { Load } from "./load.ts";
import { NumberedBatch } from "./numbered-batch.ts";
import { RawConnection } from "./raw-connection.ts";
import { scatter } from "./request-bytes.ts";

const KEY_DIGITS = 8;

export class SpreadLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: SpreadWork;
  readonly #connections: RawConnection[] = [];
  #stopped = false;

  constructor(port: number, work: SpreadWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    const { connections, streams } = this.#work;
    for (let i = 0; i < connections; i++) this.#connections.push(await RawConnection.open(this.#port));
    await Promise.all(this.#connections.map((connection, at) => this.#make(connection, at, streams)));
  }

  start(failed: (error: Error) => void): void {
    const { streams, inFlight } = this.#work;
    for (const [at, connection] of this.#connections.entries()) {
      const batch = this.#batch(inFlight);
      const turn = { bytes: batch.bytes, requests: inFlight };
      const stream = scatter(at * 7919 + 1, streams);
      const next = (): Turn | null => {
        if (this.#stopped) return null;
        for (let i = 0; i < inFlight; i++) batch.set(i, stream());
        return turn;
      };
      const answered = (requests: number, tookMs: number): void => {
        this.operations += requests;
        this.latencies.record(tookMs);
      };
      closedLoop(connection, next, answered).catch(failed);
    }
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of this.#connections) connection.close();
  }

  /** Every stream whose number has this rest when divided by the number of connections gets its first entry. */
  async #make(connection: RawConnection, rest: number, streams: number): Promise<void> {
    const { connections, inFlight } = this.#work;
    let made = rest;
    const next = (): Turn | null => {
      const requests = Math.min(inFlight, Math.ceil((streams - made) / connections));
      if (requests <= 0) return null;
      const batch = this.#batch(requests);
      for (let i = 0; i < requests; i++, made += connections) batch.set(i, made);
      return { bytes: batch.bytes, requests };
    };
    await closedLoop(connection, next, () => undefined);
  }

  #batch(requests: number): NumberedBatch {
    const value = "x".repeat(this.#work.valueBytes);
    return new NumberedBatch(requests, KEY_DIGITS, (number) => ["XADD", `s:${number}`, "*", "f", value]);
  }
}
