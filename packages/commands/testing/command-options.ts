/**
 * What a command can be given, word by word, from its record's syntax: keywords and the signs that stand for something. Judges count by it what was tried.
 */
import { commandTable } from "../src/index.ts";
import type { CommandRecord } from "../src/index.ts";

/** All commands that can be called: of containers their subcommands. */
export function callableCommands(): readonly CommandRecord[] {
  const isContainer = (record: CommandRecord): boolean => record.subcommands !== null && record.arity < -1;
  return commandTable.flatMap((record) => [...(isContainer(record) ? [] : [record]), ...(record.subcommands ?? [])]);
}

const SIGNS = new Set(["=", "~", "*", "$", "-", "+", ">", "0", "1"]);

/** Keywords and signs of the syntax, each once, in its order. */
export function optionsOf(record: CommandRecord): readonly string[] {
  const words = record.syntax.split(/[\s[\]<>|()]+/);
  return [...new Set(words.filter((word) => SIGNS.has(word) || /^[A-Z][A-Z0-9_-]+$/.test(word)))];
}
