/** XADD at a fixed rate, open loop: what is due is sent, whatever is unanswered, and its latency counts from when it was due. */
import { LatencyHistogram } from "./histogram.ts";
import type { PacedWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";
import { requestBytes } from "./request-bytes.ts";

const TICK_MS = 1;
/** Unanswered writes of a connection; a server that is so far behind does not keep the rate. */
const UNANSWERED_MAX = 1 << 17;

interface Lane {
  readonly connection: RawConnection;
  /** When the unanswered writes were due; a ring. */
  readonly due: Float64Array;
  sent: number;
  answered: number;
}

export class PacedLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: PacedWork;
  readonly #lanes: Lane[] = [];
  #timer: NodeJS.Timeout | null = null;

  constructor(port: number, work: PacedWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    for (let i = 0; i < this.#work.connections; i++) {
      const connection = await RawConnection.open(this.#port);
      this.#lanes.push({ connection, due: new Float64Array(UNANSWERED_MAX), sent: 0, answered: 0 });
    }
  }

  start(failed: (error: Error) => void): void {
    const request = requestBytes(["XADD", "bench:paced", "*", "f", "x".repeat(this.#work.valueBytes)]);
    for (const lane of this.#lanes) this.#listen(lane, failed);
    const everyMs = 1000 / this.#work.perSecond;
    const fromMs = performance.now();
    let sent = 0;
    this.#timer = setInterval(() => {
      const due = Math.floor((performance.now() - fromMs) / everyMs) + 1;
      const counts = this.#lanes.map(() => 0);
      for (; sent < due; sent++) {
        const at = sent % this.#lanes.length;
        const lane = this.#lanes[at]!;
        if (lane.sent - lane.answered === UNANSWERED_MAX) return failed(new Error("the rate is not kept"));
        lane.due[lane.sent++ % UNANSWERED_MAX] = fromMs + sent * everyMs;
        counts[at]!++;
      }
      for (const [at, lane] of this.#lanes.entries()) {
        if (counts[at]! > 0) lane.connection.write(Buffer.alloc(request.length * counts[at]!, request));
      }
    }, TICK_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const { connection } of this.#lanes) connection.close();
  }

  #listen(lane: Lane, failed: (error: Error) => void): void {
    const counter = new ReplyCounter();
    lane.connection.listen((bytes, length) => {
      const count = counter.feed(bytes, 0, length);
      if (counter.errors > 0) return failed(new Error(counter.firstError));
      const nowMs = performance.now();
      for (let i = 0; i < count; i++) this.latencies.record(nowMs - lane.due[lane.answered++ % UNANSWERED_MAX]!);
      this.operations += count;
    }, failed);
  }
}
