/** The catalogue of error texts as patterns: for judges that count which of them were seen. Derived from errors.ts; nothing is listed here. */
import * as catalogue from "../src/errors.ts";

export interface ErrorPattern {
  /** As errors.ts calls it. */
  readonly name: string;
  /** The text, where words of the client are `\u0001`. */
  readonly text: string;
  /** Matches the whole text, without the `-` of the protocol. */
  readonly pattern: RegExp;
}

const WORD = "\u0001";

export function errorPatterns(): readonly ErrorPattern[] {
  const found: ErrorPattern[] = [];
  for (const [name, text] of Object.entries(catalogue.Errors)) found.push(patternOf(name, text));
  for (const [name, each] of Object.entries(catalogue)) {
    if (typeof each !== "function") continue;
    const make = each as (...words: string[]) => string;
    found.push(patternOf(name, make(...Array.from({ length: make.length }, () => WORD))));
  }
  return found;
}

function patternOf(name: string, text: string): ErrorPattern {
  const parts = text.split(WORD).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return { name, text, pattern: new RegExp(`^${parts.join("[^]*")}$`) };
}
