/**
 * One step of a sequence: a command of one of the connections, or time that goes by. Words may depend on the clock and on the step's place in the sequence,
 * so that ids move forward whatever shrinking leaves out; they are resolved when the sequence runs.
 */
import { bytesOf } from "@headrace/bytes";

/** A word that is resolved late: `head`, the number that `from` stands for plus `add`, `tail`. */
export interface LateWord {
  readonly head: string;
  /** connection: the id of the connection with the number `add`. payload: a stream of Redis 7.0 as DUMP gives it. clock: milliseconds. seconds: of the same clock. place: the step's number divided by four, so that ids come in small runs. */
  readonly from: "clock" | "seconds" | "place" | "payload" | "connection";
  readonly add: number;
  readonly tail: string;
}

export type Word = string | LateWord;

export type Step =
  | { readonly client: number; readonly words: readonly Word[] }
  /** Milliseconds that go by. */
  | { readonly advanceMs: number };

/** Words that stand for keys, and these. A tag keeps them in one slot, so that they may meet in a transaction; all are looked at when a sequence ends. */
const KEYS: ReadonlyMap<string, string> = new Map(
  ["s", "t", "u", "w", "x", "y", "z", "zz", "z3"].map((word) => [word, `${word}{k}`]),
);
export const SEQUENCE_KEYS: readonly string[] = [...KEYS.values()];

/** What late words stand for. */
export interface Circumstances {
  readonly place: number;
  readonly nowMs: number;
  readonly payload: string;
  /** Ids of the connections that are open, by their numbers. */
  readonly ids: readonly (number | undefined)[];
}

/** Of no connection. */
const NOBODY = "999999999";

export function resolveWord(word: Word, { place, nowMs, payload, ids }: Circumstances): string {
  if (typeof word === "string") return KEYS.get(word) ?? word;
  if (word.from === "payload") return payload;
  if (word.from === "connection") return String(ids[word.add] ?? NOBODY);
  const base = { clock: nowMs, seconds: Math.floor(nowMs / 1000), place: Math.floor(place / 4) }[word.from];
  return `${word.head}${Math.max(0, base + word.add)}${word.tail}`;
}

export function encodeRequest(words: readonly string[]): Uint8Array {
  return bytesOf(`*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`);
}

/** As redis-cli would take it. */
export function shownRequest(words: readonly string[]): string {
  return words.map(shownWord).join(" ");
}

function shownWord(word: string): string {
  if (/^[\w*+<>()=~$.:{}|,@/!?^-]+$/.test(word)) return word;
  const escaped = word.replaceAll(/[^ !#-[\]-~]/g, (char) =>
    char === "\\" || char === '"' ? `\\${char}` : `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}
