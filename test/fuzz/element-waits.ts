/** Calls that wait for elements of lists and sorted sets: for how long, and which of them a differential run leaves out. */
import { mostly, pick, words } from "./parts.ts";
import type { Part } from "./parts.ts";

/** Far enough away not to be reached in a sequence. */
export const elementTimeout: Part = mostly(
  [5, words("0")],
  [5, pick("10000", "15000.5", "2e4")],
  [0.4, pick("-1", "x", "nan", "-inf", "")],
);

/** Whether the call may wait for an element. */
export function waitsForElement(name: string): boolean {
  return /^(?:blpop|brpop|blmove|brpoplpush|blmpop|bzpopmin|bzpopmax|bzmpop)$/i.test(name);
}

/** It waits, and its time may be over while both sides come to rest: only ours hears of time then. */
export function waitsShortly(name: string, all: readonly (string | object)[]): boolean {
  if (!waitsForElement(name)) return false;
  const word = /mpop$/i.test(name) ? all[1] : all.at(-1);
  const seconds = typeof word === "string" ? Number(word) : Number.NaN;
  return seconds !== 0 && seconds > -1 && (seconds < 100 || seconds > 1e9);
}
