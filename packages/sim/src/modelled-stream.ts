/**
 * A stream with one writer, who goes on only when it has its answer, and a model of it after each of its steps. So whatever copy of the stream there is,
 * there must be one step behind which the stream was exactly that.
 *
 * Ids are the writer's own: a step that is refused is taken again, one whose fate is unknown is its last.
 */
import { ErrorReply, type ReplyValue } from "./reply-value.ts";
import type { SeededRandom } from "./seeded-random.ts";

const GROUP = "g";
const CONSUMER = "c";
/** Several blocks a stream, in the end. */
const PAYLOAD_BYTES_MAX = 3000;

type Step = readonly string[];

export class ModelledStream {
  readonly name: string;
  readonly #random: SeededRandom;
  /** Step k has led to moment k; 0: before the first. */
  readonly #moments: string[] = [];
  #entries: { readonly id: string; readonly payload: string }[] = [];
  #delivered = "0-0";
  #pending: string[] = [];
  #serial = 0;
  #step: Step;
  /** Steps that were answered. */
  acknowledged = 0;
  /** Steps that were sent: one more, or as many. */
  sent = 0;
  /** Nobody knows whether its last step was taken. */
  isOver = false;

  constructor(name: string, random: SeededRandom) {
    this.name = name;
    this.#random = random;
    this.#note();
    this.#step = ["XGROUP", "CREATE", name, GROUP, "0", "MKSTREAM"];
    this.#note();
  }

  /** What is sent now. */
  begin(): Step {
    this.sent = this.#moments.length - 1;
    return this.#step;
  }

  /** undefined: there was no answer. */
  heard(reply: ReplyValue | undefined): void {
    const isUnknown = reply === undefined || (reply instanceof ErrorReply && reply.code === "UNCERTAIN");
    if (isUnknown) {
      this.isOver = true;
      return;
    }
    if (reply instanceof ErrorReply) {
      if (reply.code === "ERR" || reply.code === "BUSYGROUP") {
        throw new Error(`${this.#step.join(" ").slice(0, 80)} was answered ${reply.text}`);
      }
      return;
    }
    this.acknowledged = this.sent;
    this.#step = this.#next();
    this.#note();
  }

  /** Questions that show all that the model knows. */
  questions(): readonly Step[] {
    const { name } = this;
    return [
      ["XRANGE", name, "-", "+"],
      ["XINFO", "GROUPS", name],
      ["XPENDING", name, GROUP, "-", "+", "10000"],
    ];
  }

  /** The step behind which the stream was as these answers say; −1: it never was so. `from`, `to`: looks at these moments only. */
  momentOf(answers: readonly ReplyValue[], from: number, to: number): number {
    const text = textOf(answers);
    for (let moment = from; moment <= to; moment++) if (this.#moments[moment] === text) return moment;
    return -1;
  }

  #next(): Step {
    const { name } = this;
    const random = this.#random;
    const kind = random.below(10);
    if (kind === 0 && this.#entries.length > 2) {
      const { id } = random.pick(this.#entries);
      this.#entries = this.#entries.filter((entry) => entry.id !== id);
      return ["XDEL", name, id];
    }
    if (kind === 1 && this.#entries.length > 30) {
      this.#entries = this.#entries.slice(-20);
      return ["XTRIM", name, "MAXLEN", "20"];
    }
    if (kind <= 3) {
      const count = random.between(1, 4);
      const at = this.#entries.findIndex(({ id }) => numberOf(id) > numberOf(this.#delivered));
      const taken = at < 0 ? [] : this.#entries.slice(at, at + count);
      this.#pending.push(...taken.map(({ id }) => id));
      this.#delivered = taken.at(-1)?.id ?? this.#delivered;
      return ["XREADGROUP", "GROUP", GROUP, CONSUMER, "COUNT", String(count), "STREAMS", name, ">"];
    }
    if (kind === 4 && this.#pending.length > 0) {
      const id = random.pick(this.#pending);
      this.#pending = this.#pending.filter((each) => each !== id);
      return ["XACK", name, GROUP, id];
    }
    const id = `${++this.#serial}-1`;
    const payload = `${name}.${this.#serial}.${"x".repeat(random.below(PAYLOAD_BYTES_MAX))}`;
    this.#entries.push({ id, payload });
    return ["XADD", name, id, "p", payload];
  }

  #note(): void {
    const entries = this.#entries.map(({ id, payload }) => [id, ["p", payload]]);
    this.#moments.push(this.#moments.length === 0 ? "" : JSON.stringify([entries, this.#delivered, this.#pending]));
  }
}

function numberOf(id: string): number {
  return Number(id.slice(0, id.indexOf("-")));
}

/** The empty text: there is no such stream. */
function textOf([range, groups, pending]: readonly ReplyValue[]): string {
  if (groups instanceof ErrorReply) return "";
  const [group] = groups as readonly (readonly ReplyValue[])[];
  const delivered = group![group!.indexOf("last-delivered-id") + 1];
  const ids = (pending as readonly (readonly ReplyValue[])[]).map(([id]) => id);
  return JSON.stringify([range, delivered, ids]);
}
