/** One command as COMMAND DOCS shows it, from its record. The form is Redis 7.2's: arguments as a tree, history as pairs. */
import type { ReplyWriterApi } from "@headrace/resp";
import type { CommandRecord } from "../command.ts";
import { COMMAND_HISTORY } from "./command-history.ts";
import { syntaxTree } from "./syntax-tree.ts";
import type { ArgumentNode } from "./syntax-tree.ts";

export function writeCommandDocs(reply: ReplyWriterApi, record: CommandRecord): void {
  const { summary, since, group, complexity, subcommands } = record;
  const history = COMMAND_HISTORY.get(record.name) ?? [];
  const tree = record.syntax === "" ? [] : syntaxTree(record.syntax, record.argumentTypes);
  const fields =
    3 + [complexity !== "", history.length > 0, tree.length > 0, subcommands !== null].filter(Boolean).length;
  reply.bulkLatin1(record.name);
  reply.map(fields);
  writePair(reply, "summary", summary);
  writePair(reply, "since", since);
  writePair(reply, "group", group);
  if (complexity !== "") writePair(reply, "complexity", complexity);
  if (history.length > 0) {
    reply.bulkLatin1("history");
    reply.set(history.length);
    for (const [version, change] of history) {
      reply.array(2);
      reply.bulkLatin1(version);
      reply.bulkLatin1(change);
    }
  }
  if (tree.length > 0) {
    reply.bulkLatin1("arguments");
    writeArguments(reply, tree);
  }
  if (subcommands === null) return;
  reply.bulkLatin1("subcommands");
  reply.map(subcommands.length);
  for (const each of subcommands) writeCommandDocs(reply, each);
}

function writeArguments(reply: ReplyWriterApi, nodes: readonly ArgumentNode[]): void {
  reply.array(nodes.length);
  for (const node of nodes) {
    const isComposite = node.type === "oneof" || node.type === "block";
    const showsText = !isComposite && node.type !== "pure-token";
    const flags = flagsOf(node);
    const isKey = node.type === "key";
    reply.map(2 + [showsText, isKey, node.token !== "", flags.length > 0, isComposite].filter(Boolean).length);
    writePair(reply, "name", node.name);
    writePair(reply, "type", node.type);
    if (showsText) writePair(reply, "display_text", node.name);
    if (isKey) {
      reply.bulkLatin1("key_spec_index");
      reply.integer(0);
    }
    if (node.token !== "") writePair(reply, "token", node.token);
    if (flags.length > 0) {
      reply.bulkLatin1("flags");
      reply.set(flags.length);
      for (const flag of flags) reply.simple(flag);
    }
    if (isComposite) {
      reply.bulkLatin1("arguments");
      writeArguments(reply, node.parts);
    }
  }
}

function flagsOf(node: ArgumentNode): string[] {
  const flags: string[] = [];
  if (node.isOptional) flags.push("optional");
  if (node.isMultiple) flags.push("multiple");
  if (node.repeatsToken) flags.push("multiple_token");
  return flags;
}

function writePair(reply: ReplyWriterApi, name: string, value: string): void {
  reply.bulkLatin1(name);
  reply.bulkLatin1(value);
}
