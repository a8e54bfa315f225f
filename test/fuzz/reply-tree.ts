/** A reply as a tree, so that a divergence rule can name the part that differs. Nothing is lost: a tree is written back to the bytes that it was read from. */
import { latin1 } from "@headrace/bytes";
import { behindHeader, headerNumber } from "@headrace/resp";

export interface ReplyTree {
  /** The protocol's type byte, as a character. */
  readonly type: string;
  /** What stands in the header line; for strings with a length, their content. Null: a RESP2 null. */
  text: string | null;
  /** Elements; of maps, names and values in turn. */
  items: ReplyTree[];
}

export function replyTree(bytes: Uint8Array): ReplyTree {
  return read(bytes, { at: 0 });
}

function read(bytes: Uint8Array, cursor: { at: number }): ReplyTree {
  const start = cursor.at;
  const content = behindHeader(bytes, start, bytes.length);
  const type = String.fromCharCode(bytes[start]!);
  const line = latin1(bytes, start + 1, content - 2);
  cursor.at = content;
  if ("$=!".includes(type)) {
    const length = headerNumber(bytes, start, bytes.length);
    if (length < 0) return { type, text: null, items: [] };
    cursor.at = content + length + 2;
    return { type, text: latin1(bytes, content, content + length), items: [] };
  }
  if (!"*~>%|".includes(type)) return { type, text: line, items: [] };
  const count = headerNumber(bytes, start, bytes.length) * (type === "%" || type === "|" ? 2 : 1);
  if (count < 0) return { type, text: null, items: [] };
  const items: ReplyTree[] = [];
  for (let i = 0; i < count; i++) items.push(read(bytes, cursor));
  return { type, text: "", items };
}

/** The bytes, as latin1. */
export function writtenReply(tree: ReplyTree): string {
  const { type, text, items } = tree;
  if ("$=!".includes(type)) return text === null ? `${type}-1\r\n` : `${type}${text.length}\r\n${text}\r\n`;
  if (!"*~>%|".includes(type)) return `${type}${text}\r\n`;
  if (text === null) return `${type}-1\r\n`;
  const count = type === "%" || type === "|" ? items.length / 2 : items.length;
  return `${type}${count}\r\n${items.map(writtenReply).join("")}`;
}

export function isError(tree: ReplyTree): boolean {
  return tree.type === "-";
}

/** A map, or what stands for one in RESP2: the value behind the name, or null. */
export function fieldOf(tree: ReplyTree, name: string): ReplyTree | null {
  for (let i = 0; i + 1 < tree.items.length; i += 2) if (tree.items[i]!.text === name) return tree.items[i + 1]!;
  return null;
}

/** All parts of the tree, itself first. */
export function* partsOf(tree: ReplyTree): Iterable<ReplyTree> {
  yield tree;
  for (const item of tree.items) yield* partsOf(item);
}
