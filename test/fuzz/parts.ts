/** What grammar entries are made of: arbitraries of words, and the names, ids and numbers that commands are called with. */
import fc from "fast-check";
import type { LateWord, Word } from "./step.ts";

/** Some words of a command. */
export type Part = fc.Arbitrary<readonly Word[]>;

export function words(...all: Word[]): Part {
  return fc.constant(all);
}

export const nothing: Part = words();

export function seq(...parts: readonly Part[]): Part {
  return fc.tuple(...parts).map((all) => all.flat());
}

export function one(...parts: readonly Part[]): Part {
  return fc.oneof(...parts);
}

/** One of them, as often as its weight says. */
export function mostly(...weighted: readonly (readonly [weight: number, part: Part])[]): Part {
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight: Math.round(weight * 10), arbitrary })));
}

/** In half of all cases. */
export function maybe(part: Part): Part {
  return one(nothing, part);
}

export function rarely(part: Part): Part {
  return mostly([7, nothing], [1, part]);
}

export function pick(...choices: readonly Word[]): Part {
  return fc.constantFrom(...choices.map((word) => [word]));
}

export function many(part: Part, min: number, max: number): Part {
  return fc.array(part, { minLength: min, maxLength: max }).map((all) => all.flat());
}

/** Any number of the options, in any order. */
export function options(...parts: readonly Part[]): Part {
  return fc
    .tuple(fc.shuffledSubarray(parts.map((_, i) => i)), ...parts)
    .map(([order, ...all]) => order.flatMap((i) => all[i]!));
}

/** A keyword and its value; now and then in lower case. */
export function option(name: string, ...values: readonly Part[]): Part {
  return seq(mostly([9, words(name)], [1, words(name.toLowerCase())]), ...values);
}

export function late(from: LateWord["from"], add: number, tail: string = "", head: string = ""): LateWord {
  return { head, from, add, tail };
}

export const group: Part = mostly(
  [40, words("g")],
  [20, words("h")],
  [1, pick("nogroup", "STREAMS", "", "\u0000\r\n\u00ff")],
);
export const consumer: Part = mostly(
  [20, words("c")],
  [12, words("d")],
  [2, words("e")],
  [1, pick("STREAMS", "", "\u00ff\r\n")],
);
export const count: Part = mostly([12, pick("1", "2", "3", "10", "100")], [1, pick("0", "-1", "9223372036854775807")]);
export const fieldValue: Part = mostly(
  [10, pick("v", "w", "12", "-3")],
  [2, pick("", "\u0000\r\n\u00ff", "x".repeat(70), "9223372036854775807")],
  [1, words("y".repeat(5000))],
);
export const fields: Part = mostly(
  [6, seq(words("f"), fieldValue)],
  [3, seq(words("f"), fieldValue, words("g"), fieldValue)],
  [1, many(seq(fieldValue, fieldValue), 1, 5)],
);

/** Streams whose ids are of one kind: a kind's ids are tried on its own keys, so that most of them mean something. */
export interface Streams {
  readonly key: Part;
  /** Moves forward, mostly. */
  readonly newId: Part;
  /** May be one that is there, or was. */
  readonly oldId: Part;
}

const nearly = (part: Part, rare: Part): Part => mostly([30, part], [1, rare]);
const oddKey = pick("nokey", "", "\u0000k\r\n\u00ff");
const smallSeq = fc.integer({ min: 0, max: 3 });

/** Ids count the places of the sequence. */
const placed: Streams = {
  key: nearly(pick("s", "t"), oddKey),
  newId: mostly(
    [6, words(late("place", 0, "-*"))],
    [2, smallSeq.map((seqNumber) => [late("place", 1, `-${seqNumber}`)])],
    [1, words(late("place", 2))],
    [1, pick("1-1", "0-*", "3-*")],
  ),
  oldId: mostly(
    [
      12,
      fc
        .tuple(fc.integer({ min: 0, max: 14 }), smallSeq)
        .map(([back, seqNumber]) => [late("place", -back, `-${seqNumber}`)]),
    ],
    [2, fc.integer({ min: 0, max: 14 }).map((back) => [late("place", -back)])],
    [1, pick("0", "0-0", "1-1", "5-0")],
  ),
};

/** Ids come from the clock. */
const clocked: Streams = {
  key: nearly(words("u"), oddKey),
  newId: mostly([8, words("*")], [1, words(late("clock", 0, "-*"))], [1, words(late("clock", 1, "-0"))]),
  oldId: mostly(
    [12, fc.integer({ min: 0, max: 25 }).map((seqNumber) => [late("clock", 0, `-${seqNumber}`)])],
    [2, fc.integer({ min: -600, max: 1 }).map((back) => [late("clock", back)])],
    [1, pick("0", "0-0", "1-1")],
  ),
};

/** Ids at the upper end of 64 bits. */
const TOP = "18446744073709551615";
const top: Streams = {
  key: words("w"),
  // Not the very last id: what brings the judge's consumers to ours looks behind all entries.
  newId: mostly([6, words(late("place", 0, "", `${TOP}-`))], [2, words("*")]),
  oldId: mostly(
    [12, fc.integer({ min: 0, max: 14 }).map((back) => [late("place", -back, "", `${TOP}-`)])],
    [1, pick(TOP, `${TOP}-${TOP}`, `${TOP}-18446744073709551614`, "9223372036854775808-0")],
  ),
};

/** Behind it no id is left. */
export const veryLastId: Part = words(`${TOP}-${TOP}`);

/** The same part for streams of each kind. */
export function onStreams(make: (streams: Streams) => Part): Part {
  return mostly([7, make(placed)], [3, make(clocked)], [1, make(top)]);
}

/** Any key that a sequence may have made. */
export const anyKey: Part = mostly(
  [8, pick("s", "t")],
  [4, words("u")],
  [1, words("w")],
  [3, pick("x", "y")],
  [1, oddKey],
);

export function rangeBound(streams: Streams, open: "-" | "+"): Part {
  return mostly(
    [6, words(open)],
    [5, streams.oldId],
    [2, streams.oldId.map(([first]) => [exclusive(first!)])],
    [1, pick("-", "+", "(", "(-", "0", TOP, `(${TOP}-${TOP}`, "(0-0")],
  );
}

function exclusive(word: Word): Word {
  return typeof word === "string" ? `(${word}` : { ...word, head: `(${word.head}` };
}

/** What no syntax expects at most places. */
export const edgeWords: readonly string[] = [
  "",
  "x",
  "-1",
  "0",
  "1",
  "-0",
  "+1",
  "00",
  "1.0",
  " 1",
  "1-",
  "1-1",
  "1-2-3",
  "0-0",
  "-",
  "+",
  "$",
  ">",
  "*",
  "(1",
  "~",
  "=",
  "COUNT",
  "STREAMS",
  "MAXLEN",
  "IDLE",
  "\u00ff\u0000",
  "a b",
  TOP,
  "18446744073709551616",
  "9223372036854775807",
  "9223372036854775808",
  "-9223372036854775808",
  "-9223372036854775809",
  "z".repeat(200),
];
