/**
 * A reply as redis-cli shows it on a terminal: what fixtures hold. Source: redis-cli.c cliFormatReplyTTY.
 */
import { latin1 } from "@headrace/bytes";
import { behindHeader, headerNumber, skipReply } from "@headrace/resp";

/** The text of the reply at `offset`; lines joined by \n, no line end behind the last. */
export function replyText(bytes: Uint8Array, offset: number, end: number): string {
  return format(bytes, offset, end, "");
}

function format(bytes: Uint8Array, at: number, end: number, prefix: string): string {
  const content = behindHeader(bytes, at, end);
  const line = latin1(bytes, at + 1, content - 2);
  switch (latin1(bytes, at, at + 1)) {
    case "+":
      return line;
    case "-":
      return `(error) ${line}`;
    case ":":
      return `(integer) ${line}`;
    case ",":
      return `(double) ${line}`;
    case "#":
      return line === "t" ? "(true)" : "(false)";
    case "_":
      return "(nil)";
    case "$":
      return line === "-1" ? "(nil)" : quoted(latin1(bytes, content, content + Number(line)));
    case "=":
      // A fixture holds no empty lines: an empty text gets words, and one line end at the end is left out.
      return latin1(bytes, content + 4, content + Number(line)).replace(/\n$/, "") || "(empty text)";
    case "*":
      return line === "-1" ? "(nil)" : formatElements(bytes, at, end, prefix, ")", "(empty array)");
    case "~":
      return formatElements(bytes, at, end, prefix, "~", "(empty set)");
    case ">":
      return formatElements(bytes, at, end, prefix, ">", "(empty push)");
    case "%":
      return formatElements(bytes, at, end, prefix, "#", "(empty hash)");
    default:
      throw new Error(`not a reply: ${line}`);
  }
}

function formatElements(
  bytes: Uint8Array,
  offset: number,
  end: number,
  prefix: string,
  mark: string,
  empty: string,
): string {
  const count = headerNumber(bytes, offset, end);
  if (count === 0) return empty;
  const isMap = mark === "#";
  const width = String(count).length;
  const inner = prefix + " ".repeat(width + 2);
  const lines: string[] = [];
  let at = behindHeader(bytes, offset, end);
  for (let i = 1; i <= count; i++) {
    let text = `${i === 1 ? "" : prefix}${String(i).padStart(width)}${mark} ${format(bytes, at, end, inner)}`;
    at = skipReply(bytes, at, end);
    if (isMap) {
      text += ` => ${format(bytes, at, end, inner)}`;
      at = skipReply(bytes, at, end);
    }
    lines.push(text);
  }
  return lines.join("\n");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  '"': '\\"',
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\u0007": "\\a",
  "\b": "\\b",
};

function quoted(text: string): string {
  let out = '"';
  for (const char of text) {
    const code = char.charCodeAt(0);
    const plain = code >= 32 && code < 127 ? char : `\\x${code.toString(16).padStart(2, "0")}`;
    out += ESCAPES[char] ?? plain;
  }
  return `${out}"`;
}
