/**
 * Publishing to a JetStream stream in the protocol of NATS: each connection has a window of messages that are not acknowledged yet; every message asks for its
 * acknowledgement. The stream with three replicas on disk is made here.
 */
import { setTimeout as pause } from "node:timers/promises";
import { LatencyHistogram } from "./histogram.ts";
import type { NatsWork } from "./job.ts";
import type { Load } from "./load.ts";
import { RawConnection } from "./raw-connection.ts";

const STREAM = "BENCH";
const SUBJECT = "bench";
const CREATE_ATTEMPTS = 100;
const CREATE_PAUSE_MS = 200;

export class NatsLoad implements Load {
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  operations = 0;
  readonly #port: number;
  readonly #work: NatsWork;
  readonly #connections: RawConnection[] = [];
  #stopped = false;

  constructor(port: number, work: NatsWork) {
    this.#port = port;
    this.#work = work;
  }

  async prepare(): Promise<void> {
    const config = { name: STREAM, subjects: [SUBJECT], retention: "limits", storage: "file", num_replicas: 3 };
    await this.#api(`STREAM.DELETE.${STREAM}`, "", () => true);
    await this.#api(`STREAM.CREATE.${STREAM}`, JSON.stringify(config), (text) => text.includes('"created"'));
    for (let i = 0; i < this.#work.connections; i++) this.#connections.push(await connected(this.#port));
  }

  start(failed: (error: Error) => void): void {
    for (const connection of this.#connections) this.#run(connection, failed);
  }

  stop(): void {
    this.#stopped = true;
    for (const connection of this.#connections) connection.close();
  }

  #run(connection: RawConnection, failed: (error: Error) => void): void {
    const { inFlight, valueBytes } = this.#work;
    const inbox = `_INBOX.${Math.random().toString(36).slice(2)}`;
    const value = "x".repeat(valueBytes);
    const message = Buffer.from(`PUB ${SUBJECT} ${inbox}.1 ${valueBytes}\r\n${value}\r\n`);
    const window = Buffer.alloc(message.length * inFlight, message);
    const sentMs = new Float64Array(inFlight);
    let rest = "";
    let answered = 0;
    const send = (count: number): void => {
      const nowMs = performance.now();
      // Acknowledgements come in the order of publishing, nearly: the oldest message counts as the one that is meant.
      for (let i = 0; i < count; i++) sentMs[(answered + inFlight - count + i) % inFlight] = nowMs;
      connection.write(count === inFlight ? window : window.subarray(0, message.length * count));
    };
    connection.listen((bytes, length) => {
      const text = rest + bytes.toString("latin1", 0, length);
      const lastLine = text.lastIndexOf("\r\n") + 2;
      rest = text.slice(lastLine);
      let count = 0;
      const nowMs = performance.now();
      for (const line of text.slice(0, lastLine).split("\r\n")) {
        if (line === "PING") connection.write(Buffer.from("PONG\r\n"));
        else if (line.startsWith("-ERR") || line.includes('"error"')) return failed(new Error(line));
        else if (line.startsWith("{")) {
          this.latencies.record(nowMs - sentMs[answered % inFlight]!);
          answered++;
          count++;
        }
      }
      this.operations += count;
      if (count > 0 && !this.#stopped) send(count);
    }, failed);
    connection.write(Buffer.from(`SUB ${inbox}.* 1\r\n`));
    send(inFlight);
  }

  /** Asks JetStream until the answer is good: a young cluster has no leader yet. */
  async #api(subject: string, body: string, isGood: (text: string) => boolean): Promise<void> {
    let text = "";
    for (let attempt = 0; attempt < CREATE_ATTEMPTS; attempt++) {
      const connection = await connected(this.#port);
      text = "";
      connection.listen(
        (bytes, length) => (text += bytes.toString("latin1", 0, length)),
        () => undefined,
      );
      const inbox = `_INBOX.api${attempt}`;
      connection.write(Buffer.from(`SUB ${inbox} 1\r\nPUB $JS.API.${subject} ${inbox} ${body.length}\r\n${body}\r\n`));
      for (let looks = 0; looks < 20 && !text.includes('"type"'); looks++) await pause(CREATE_PAUSE_MS / 4);
      connection.close();
      if (text.includes('"type"') && isGood(text)) return;
      await pause(CREATE_PAUSE_MS);
    }
    throw new Error(`JetStream does not answer ${subject}: ${text.slice(0, 300)}`);
  }
}

async function connected(port: number): Promise<RawConnection> {
  const connection = await RawConnection.open(port);
  connection.write(Buffer.from('CONNECT {"verbose":false,"pedantic":false}\r\n'));
  return connection;
}
