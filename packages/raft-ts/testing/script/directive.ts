/**
 * Reads a script in the form of etcd's interaction tests:
 *
 *   # a remark
 *   command arg key=value key=(a,b)        one directive; a backslash at the end continues it on the next line
 *   input                                  lines up to the dashes
 *   ----
 *   expected                               up to a blank line; behind a second line of dashes up to two lines of dashes
 *
 * More lenient than the original in one thing: dashes may be missing, then a blank line or the next directive ends the input. Knows nothing of Raft.
 */

export interface Argument {
  readonly key: string;
  readonly values: readonly string[];
}

export interface Directive {
  /** Of the script, from 1. */
  readonly line: number;
  /** The directive as it stands there. */
  readonly text: string;
  readonly command: string;
  readonly args: readonly Argument[];
  readonly input: string;
  readonly expected: readonly string[];
}

export class ScriptSyntaxError extends Error {
  override name: string = "ScriptSyntaxError";
}

const SEPARATOR = "----";

export function readScript(text: string, isCommand: (word: string) => boolean): Directive[] {
  const lines = text.split(/\r?\n/);
  const directives: Directive[] = [];
  let at = 0;
  const isSeparator = (): boolean => lines[at]?.trim() === SEPARATOR;
  while (at < lines.length) {
    const first = lines[at]!.trim();
    if (first === "" || first.startsWith("#") || first.startsWith("subtest ")) {
      at++;
      continue;
    }
    const line = at + 1;
    let head = first;
    at++;
    while (head.endsWith("\\")) head = `${head.slice(0, -1).trimEnd()} ${(lines[at++] ?? "").trim()}`;
    const input: string[] = [];
    while (at < lines.length && !isSeparator()) {
      const next = lines[at]!.trim();
      if (next === "" && nextText(lines, at) === SEPARATOR) {
        at++;
        continue;
      }
      if (next === "" || isCommand(next.split(/\s+/)[0]!)) break;
      input.push(next);
      at++;
    }
    const expected: string[] = [];
    if (isSeparator()) {
      at++;
      at = readExpected(lines, at, expected);
    }
    const [command, ...args] = splitArguments(head, line);
    directives.push({ line, text: head, command: command!.key, args, input: input.join("\n"), expected });
  }
  return directives;
}

/** The first line from `at` on that is not blank. */
function nextText(lines: readonly string[], at: number): string | undefined {
  return lines
    .slice(at)
    .find((line) => line.trim() !== "")
    ?.trim();
}

/** Appends the expected lines; answers where to go on. */
function readExpected(lines: readonly string[], from: number, expected: string[]): number {
  let at = from;
  if (lines[at]?.trim() !== SEPARATOR) {
    while (at < lines.length && lines[at]!.trim() !== "") expected.push(lines[at++]!);
    return at;
  }
  at++;
  while (at < lines.length) {
    if (lines[at]!.trim() === SEPARATOR && lines[at + 1]?.trim() === SEPARATOR) return at + 2;
    expected.push(lines[at++]!);
  }
  return at;
}

function splitArguments(text: string, line: number): Argument[] {
  const found: Argument[] = [];
  const pattern = /\s*([^\s=]+)(?:=(?:\(([^)]*)\)|"([^"]*)"|([^\s(]*)))?(?=\s|$)/y;
  while (pattern.lastIndex < text.trimEnd().length) {
    const begin = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw new ScriptSyntaxError(`line ${line}: cannot read "${text.slice(begin).trim()}"`);
    const [, key, list, quoted, plain] = match;
    const values = list !== undefined ? list.split(/[\s,]+/).filter((value) => value !== "") : [quoted ?? plain];
    found.push({ key: key!, values: values.filter((value) => value !== undefined) });
  }
  return found;
}
