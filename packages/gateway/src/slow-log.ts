/**
 * SLOWLOG's entries: requests whose reply came at least `thresholdUs` after the request, the youngest kept. Arguments are cut as in Redis' slowlog.c,
 * so that an entry is small whatever was sent.
 */
import { latin1 } from "@headrace/bytes";
import { secretArguments } from "@headrace/commands";
import type { CommandRecord, SlowLogEntry, SlowLogView } from "@headrace/commands";
import type { Request } from "@headrace/resp";

const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;
const CUT_STRIDE = 64;

export class SlowLog implements SlowLogView {
  /** slowlog-log-slower-than; negative: nothing is logged. */
  thresholdUs: number = 10_000;
  #maxLength: number = 128;
  /** The youngest last. */
  #entries: SlowLogEntry[] = [];
  #nextId: number = 0;

  get length(): number {
    return Math.min(this.#entries.length, this.#maxLength);
  }

  /** slowlog-max-len. */
  get maxLength(): number {
    return this.#maxLength;
  }

  set maxLength(length: number) {
    this.#maxLength = length;
    this.#cut();
  }

  isSlow(durationMs: number): boolean {
    return this.thresholdUs >= 0 && durationMs * 1000 >= this.thresholdUs;
  }

  add(record: CommandRecord, request: Request, durationMs: number, who: SlowClient, wallMs: number): void {
    this.#entries.push({
      id: this.#nextId++,
      unixSeconds: Math.floor(wallMs / 1000),
      durationUs: Math.round(durationMs * 1000),
      words: shownWords(record, request),
      address: who.address,
      clientName: who.name,
    });
    // Cut in strides: taking the oldest off an array for each entry would cost its length.
    if (this.#entries.length - this.#maxLength >= CUT_STRIDE) this.#cut();
  }

  *entries(): Iterable<SlowLogEntry> {
    this.#cut();
    for (let i = this.#entries.length - 1; i >= 0; i--) yield this.#entries[i]!;
  }

  reset(): void {
    this.#entries = [];
  }

  #cut(): void {
    const surplus = this.#entries.length - this.#maxLength;
    if (surplus > 0) this.#entries.splice(0, surplus);
  }
}

/** Who asked. */
export interface SlowClient {
  readonly address: string;
  readonly name: string;
}

function shownWords(record: CommandRecord, request: Request): string[] {
  const secrets = secretArguments(record, request);
  const shown = Math.min(request.count, ARGUMENTS_MAX);
  const words: string[] = [];
  for (let i = 0; i < shown; i++) {
    if (request.count > ARGUMENTS_MAX && i === shown - 1) {
      words.push(`... (${request.count - ARGUMENTS_MAX + 1} more arguments)`);
    } else if (secrets.has(i)) {
      words.push("(redacted)");
    } else {
      words.push(cutWord(request, i));
    }
  }
  return words;
}

function cutWord(request: Request, i: number): string {
  const length = request.end(i) - request.start(i);
  if (length <= ARGUMENT_BYTES_MAX) return request.latin1(i);
  const shown = latin1(request.bytes, request.start(i), request.start(i) + ARGUMENT_BYTES_MAX);
  return `${shown}... (${length - ARGUMENT_BYTES_MAX} more bytes)`;
}
