/** A LatencyProbe in a process of its own: what else the caller does, like reading pages, is not counted as a write's latency. */
import { fork, type ChildProcess } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { ProbeLatency } from "./latency-probe.ts";

export type ProbeOrder = "start" | "take" | "stop";

const script = fileURLToPath(new URL("./probe-main.ts", import.meta.url));

export class ProbeProcess {
  readonly #child: ChildProcess;

  constructor(port: number, key: string, perSecond: number, valueBytes: number) {
    this.#child = fork(script, [port, key, perSecond, valueBytes].map(String));
  }

  async start(): Promise<void> {
    await this.#ask("start");
  }

  /** Of the writes that were answered since the last call. */
  async take(): Promise<ProbeLatency> {
    return (await this.#ask("take")) as ProbeLatency;
  }

  async stop(): Promise<void> {
    await this.#ask("stop");
  }

  #ask(order: ProbeOrder): Promise<unknown> {
    return new Promise((answered, failed) => {
      const ended = (code: number | null): void => failed(new Error(`the writer has ended with ${code}`));
      this.#child.once("exit", ended);
      this.#child.once("message", (answer) => {
        this.#child.off("exit", ended);
        answered(answer);
      });
      this.#child.send(order);
    });
  }
}
