/**
 * Progress of a long command on standard error: one line that is written over on a terminal, else a line now and then. Standard output is for the
 * result alone.
 */
import { transferLine, type Transfer } from "@headrace/cli";

const TERMINAL_PAUSE_MS = 200;
const LOG_PAUSE_MS = 5000;

export class Progress {
  readonly #isQuiet: boolean;
  readonly #startedMs: number = performance.now();
  #shownMs: number = -Infinity;
  #isLineOpen: boolean = false;

  constructor(isQuiet: boolean) {
    this.#isQuiet = isQuiet;
  }

  get seconds(): number {
    return (performance.now() - this.#startedMs) / 1000;
  }

  show(transfer: Omit<Transfer, "seconds">): void {
    const isTerminal = process.stderr.isTTY === true;
    const nowMs = performance.now();
    if (this.#isQuiet || nowMs - this.#shownMs < (isTerminal ? TERMINAL_PAUSE_MS : LOG_PAUSE_MS)) return;
    this.#shownMs = nowMs;
    const text = transferLine({ ...transfer, seconds: this.seconds });
    process.stderr.write(isTerminal ? `\r${text}\u001b[K` : `headrace: ${text}\n`);
    this.#isLineOpen = isTerminal;
  }

  /** Something that stays to be read. */
  say(text: string): void {
    this.close();
    process.stderr.write(`headrace: ${text}\n`);
  }

  close(): void {
    if (this.#isLineOpen) process.stderr.write("\n");
    this.#isLineOpen = false;
  }
}
