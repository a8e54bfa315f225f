/**
 * Requests at one rate after the other, open loop: what is due is sent, whatever is unanswered, and its latency counts from when it was due. A connection
 * that the server reads no further from has a little waiting here and the rest in the kernel's buffers; what is due for it then is turned away,
 * as a client with a bounded queue does, so that no queue but the server's and the kernel's is measured.
 */
import { batches } from "./batch-load.ts";
import { LatencyHistogram } from "./histogram.ts";
import type { Interval, Phase, PhasedWork, Timeline } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";

const TICK_MS = 1;
/** Waiting in this process, of one connection. */
const UNSENT_BYTES_MAX = 64 * 1024;
/** Of one connection, the kernel's buffers included: more than they hold. */
const UNANSWERED_MAX = 1 << 20;
/** Requests of one connection that are made before, and sent in turn. */
const MADE = 100;

class Lane {
  readonly connection: RawConnection;
  readonly counter: ReplyCounter = new ReplyCounter();
  /** When the unanswered requests were due; a ring. */
  readonly due: Float64Array = new Float64Array(UNANSWERED_MAX);
  sent = 0;
  answered = 0;
  /** Was found full in this tick. */
  isFull = false;
  /** Requests that this tick sends. */
  sending = 0;
  readonly #requests: Buffer;
  readonly #requestBytes: number;
  readonly #made: number;
  #next = 0;

  constructor(connection: RawConnection, requests: readonly Buffer[], made: number) {
    this.connection = connection;
    this.#requests = Buffer.concat(requests);
    this.#made = made;
    this.#requestBytes = this.#requests.length / made;
  }

  look(): void {
    this.isFull = this.connection.unsentBytes > UNSENT_BYTES_MAX;
    this.sending = 0;
  }

  flush(): void {
    while (this.sending > 0) {
      const requests = Math.min(this.sending, this.#made - this.#next);
      const from = this.#next * this.#requestBytes;
      this.connection.write(this.#requests.subarray(from, from + requests * this.#requestBytes));
      this.#next = (this.#next + requests) % this.#made;
      this.sending -= requests;
    }
  }
}

/** Counts of a stretch of time. */
class Stretch {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  answered = 0;
  refused = 0;
  turnedAway = 0;
  fromMs = 0;

  begin(nowMs: number): void {
    this.latencies.clear();
    this.answered = this.refused = this.turnedAway = 0;
    this.fromMs = nowMs;
  }

  end(phase: string, beganMs: number, nowMs: number, unanswered: number): Interval {
    return {
      phase,
      endSeconds: (nowMs - beganMs) / 1000,
      seconds: (nowMs - this.fromMs) / 1000,
      answered: this.answered,
      refused: this.refused,
      turnedAway: this.turnedAway,
      unanswered,
      latencyMs: this.latencies.figures(),
    };
  }
}

export class PhasedLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: PhasedWork;
  readonly #lanes: Lane[] = [];
  readonly #intervals: Interval[] = [];
  readonly #phases: Interval[] = [];
  readonly #interval: Stretch = new Stretch();
  readonly #phase: Stretch = new Stretch();
  #beganMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(port: number, work: PhasedWork) {
    this.#port = port;
    this.#work = work;
  }

  get timeline(): Timeline {
    const firstError = this.#lanes.find(({ counter }) => counter.errors > 0)?.counter.firstError ?? "";
    return { intervals: this.#intervals, phases: this.#phases, firstError };
  }

  async prepare(): Promise<void> {
    const { connections, request, keys } = this.#work;
    const work = { kind: "batches", connections, inFlight: MADE, requests: [request], keys, wait: null } as const;
    for (let i = 0; i < connections; i++) {
      const made = batches(work, i);
      this.#lanes.push(new Lane(await RawConnection.open(this.#port), made, made.length * MADE));
    }
  }

  start(failed: (error: Error) => void): void {
    for (const lane of this.#lanes) this.#listen(lane, failed);
    this.#beganMs = performance.now();
    this.#run(0, this.#beganMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    for (const { connection } of this.#lanes) connection.close();
  }

  #run(at: number, fromMs: number): void {
    const phase = this.#work.phases[at];
    if (phase === undefined) return;
    this.#phase.begin(fromMs);
    this.#interval.begin(fromMs);
    let due = 0;
    this.#timer = setInterval(() => {
      const nowMs = performance.now();
      const isOver = nowMs - fromMs >= phase.seconds * 1000;
      const until = Math.floor((Math.min(nowMs - fromMs, phase.seconds * 1000) * phase.perSecond) / 1000);
      this.#send(phase, fromMs, due, until);
      due = until;
      if (isOver || nowMs - this.#interval.fromMs >= phase.intervalSeconds * 1000) this.#endInterval(phase, nowMs);
      if (!isOver) return;
      clearInterval(this.#timer!);
      this.#phases.push(this.#phase.end(phase.name, this.#beganMs, nowMs, this.#unanswered()));
      this.#run(at + 1, nowMs);
    }, TICK_MS);
  }

  /** The requests of the phase with the numbers [from, to). */
  #send(phase: Phase, fromMs: number, from: number, to: number): void {
    const lanes = this.#lanes;
    for (const lane of lanes) lane.look();
    let turnedAway = 0;
    for (let serial = from; serial < to; serial++) {
      const lane = lanes[serial % lanes.length]!;
      if (lane.isFull || lane.sent - lane.answered === UNANSWERED_MAX) {
        turnedAway++;
        continue;
      }
      lane.due[lane.sent++ % UNANSWERED_MAX] = fromMs + (serial * 1000) / phase.perSecond;
      lane.sending++;
    }
    for (const lane of lanes) lane.flush();
    this.#interval.turnedAway += turnedAway;
    this.#phase.turnedAway += turnedAway;
  }

  #endInterval(phase: Phase, nowMs: number): void {
    this.#intervals.push(this.#interval.end(phase.name, this.#beganMs, nowMs, this.#unanswered()));
    this.#interval.begin(nowMs);
  }

  #unanswered(): number {
    return this.#lanes.reduce((sum, { sent, answered }) => sum + sent - answered, 0);
  }

  #listen(lane: Lane, failed: (error: Error) => void): void {
    const { counter } = lane;
    lane.connection.listen((bytes, length) => {
      const errors = counter.errors;
      const count = counter.feed(bytes, 0, length);
      const refused = counter.errors - errors;
      const nowMs = performance.now();
      for (let i = 0; i < count; i++) {
        const tookMs = nowMs - lane.due[lane.answered++ % UNANSWERED_MAX]!;
        this.#interval.latencies.record(tookMs);
        this.#phase.latencies.record(tookMs);
      }
      this.operations += count;
      for (const stretch of [this.#interval, this.#phase]) {
        stretch.answered += count;
        stretch.refused += refused;
      }
    }, failed);
  }
}
