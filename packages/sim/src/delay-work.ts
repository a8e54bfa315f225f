/**
 * What simulated clients do with delayed entries: messages with delays from none to beyond an election, some of them sent again under their own ids, some
 * cancelled, lists of what waits. What they may see, checkers/delays.ts says.
 */
import type { Delayed, DelayView } from "./checkers/delays.ts";
import type { Entry } from "./checkers/reading.ts";
import type { ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";
import type { Operation } from "./sim-client.ts";

export const DELAYED_STREAMS: readonly string[] = ["l:{a}", "l:{c}"];
const DELAYS_MS: readonly string[] = ["0", "1", "30", "200", "1000", "3000", "20000"];
/** Messages that a client may send again, and handles that it may cancel. */
const KEPT = 8;

export const delayPreparations: readonly (readonly string[])[] = DELAYED_STREAMS.flatMap((stream) => [
  ["XGROUP", "CREATE", stream, "g", "0", "MKSTREAM"],
  // No message leaves it while a run lasts, whatever becomes of clocks.
  ["XCFGSET", stream, "IDMP-DURATION", "86400", "IDMP-MAXSIZE", "10000"],
]);

interface Message {
  readonly stream: string;
  readonly name: string;
  attempts: number;
}

export class DelayWork {
  readonly #client: string;
  readonly #messages: Message[] = [];
  readonly #handles: (readonly [stream: string, handle: string])[] = [];
  #serial = 0;

  constructor(client: string) {
    this.#client = client;
  }

  next(random: SeededRandom): readonly string[] {
    const stream = random.pick(DELAYED_STREAMS);
    const kind = random.below(20);
    if (kind < 3) return ["XDELAYED", stream, ...(random.chance(1, 2) ? ["COUNT", String(random.between(1, 9))] : [])];
    if (kind < 6) return ["XRANGE", stream, "-", "+"];
    if (kind < 7) return ["XADD", stream, "*", "p", this.#payload()];
    if (kind < 10 && this.#handles.length > 0) {
      const at = random.below(this.#handles.length);
      const [[of, handle]] = this.#handles.splice(at, 1) as [readonly [string, string]];
      // Another may try as well: one of them is told that it was there.
      if (random.chance(1, 4)) this.#handles.push([of, handle]);
      return ["XDELAYED", "CANCEL", of, handle];
    }
    const when = random.chance(1, 12) ? ["AT", "1"] : ["DELAY", random.pick(DELAYS_MS)];
    const ack = random.chance(1, 2) ? ["ACK", random.pick(["0", "1", "ALL"])] : [];
    if (random.chance(1, 2)) return ["XADD", stream, ...ack, ...when, "*", "p", this.#payload()];
    const message = this.#message(random, stream);
    const payload = `${message.name}#${++message.attempts}`;
    return ["XADD", message.stream, ...ack, ...when, "IDMP", this.#client, message.name, "*", "p", payload];
  }

  heard({ args, reply }: Operation): void {
    if (args[0] !== "XADD" || typeof reply !== "string" || !reply.startsWith("d")) return;
    this.#handles.push([args[1]!, reply]);
    if (this.#handles.length > KEPT) this.#handles.shift();
  }

  #payload(): string {
    return `${this.#client}.l${++this.#serial}`;
  }

  /** A new one, or one of the last few again. */
  #message(random: SeededRandom, stream: string): Message {
    if (this.#messages.length > 0 && random.chance(1, 2)) return random.pick(this.#messages);
    const message = { stream, name: this.#payload(), attempts: 0 };
    this.#messages.push(message);
    if (this.#messages.length > KEPT) this.#messages.shift();
    return message;
  }
}

/** What is there when all that waited is due. `insist`: asks until the answer is one that is accepted. */
export function lookAtDelayed(
  insist: (args: readonly string[], accept: (reply: ReplyValue) => boolean) => ReplyValue,
): ReadonlyMap<string, DelayView> {
  const views = new Map<string, DelayView>();
  for (const stream of DELAYED_STREAMS) {
    insist(["XDELAYED", stream], (reply) => Array.isArray(reply) && reply.length === 0);
    views.set(stream, { entries: insist(["XRANGE", stream, "-", "+"], Array.isArray) as unknown as readonly Entry[] });
  }
  return views;
}

/** Rows of a list, as they stand in a reply. */
export function delayedRows(reply: ReplyValue): readonly Delayed[] {
  return (reply as unknown as readonly (readonly [string, number, readonly string[]])[]).map(
    ([handle, dueMs, fields]) => ({ handle, dueMs, payload: fields[1]! }),
  );
}
