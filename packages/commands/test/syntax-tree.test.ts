/** The argument trees of COMMAND DOCS. Beside redis-server: test/compat/command-docs.test.ts. Expected trees are those of Redis' command documents. */
import { expect, test } from "vitest";
import { commandTable } from "../src/index.ts";
import { syntaxTree } from "../src/server/syntax-tree.ts";
import type { ArgumentNode } from "../src/server/syntax-tree.ts";

/** `type TOKEN? *(multiple) ?(optional) [parts]`, names of leaves in front. */
function shown(node: ArgumentNode): string {
  const isLeaf = node.parts.length === 0;
  const marks = `${node.isOptional ? "?" : ""}${node.isMultiple ? "*" : ""}${node.repeatsToken ? "+" : ""}`;
  const token = node.token === "" ? "" : ` ${node.token}`;
  if (isLeaf) return `${node.name}:${node.type}${token}${marks}`;
  return `${node.type}${token}${marks}(${node.parts.map(shown).join(" ")})`;
}

function tree(syntax: string): string {
  return syntaxTree(syntax).map(shown).join(" ");
}

test.each([
  ["key", "key:key"],
  ["key [key ...]", "key:key*"],
  ["[COUNT count]", "count:integer COUNT?"],
  ["field value [field value ...]", "block*(field:string value:string)"],
  ["[PREFIX prefix [PREFIX prefix ...]]", "prefix:string PREFIX?*+"],
  ["[AUTH username password]", "block AUTH?(username:string password:string)"],
  ["GROUP group consumer [NOACK]", "block GROUP(group:string consumer:string) noack:pure-token NOACK?"],
  ["STREAMS key [key ...] id [id ...]", "block STREAMS(key:key* id:string*)"],
  ["[ASYNC | SYNC]", "oneof?(async:pure-token ASYNC sync:pure-token SYNC)"],
  ["[TYPE <NORMAL | PUBSUB>]", "oneof TYPE?(normal:pure-token NORMAL pubsub:pure-token PUBSUB)"],
  ["group id | $ [MKSTREAM]", "group:string oneof(id:string new-id:pure-token $) mkstream:pure-token MKSTREAM?"],
  ["key [FULL [COUNT count]]", "key:key block FULL?(count:integer COUNT?)"],
  ["[[IDLE ms] start end]", "block?(ms:integer IDLE? start:string end:string)"],
  [
    "[<MAXLEN | MINID> [= | ~] threshold [LIMIT count]]",
    "block?(oneof(maxlen:pure-token MAXLEN minid:pure-token MINID) oneof?(equal:pure-token = approximately:pure-token ~) threshold:string count:integer LIMIT?)",
  ],
])("%s", (syntax, expected) => {
  expect(tree(syntax)).toBe(expected);
});

test.each(["[key", "key]", "key [id ...]", "| key", "<>"])("%s is no syntax", (syntax) => {
  expect(() => syntaxTree(syntax)).toThrow();
});

test("every record's syntax is one, and its keys are arguments of type key", () => {
  const keysOf = (nodes: readonly ArgumentNode[]): number =>
    nodes.reduce((sum, node) => sum + (node.type === "key" ? 1 : 0) + keysOf(node.parts), 0);
  const records = commandTable.flatMap((record) => [record, ...(record.subcommands ?? [])]);
  const without: string[] = [];
  for (const record of records) {
    const nodes = record.syntax === "" ? [] : syntaxTree(record.syntax, record.argumentTypes);
    // Shard channels are found as keys are, and are none.
    const hasKeys = record.keys !== null && !record.keys.access.includes("not_key");
    if (hasKeys && keysOf(nodes) === 0) without.push(record.name);
  }
  expect(without).toEqual([]);
});
