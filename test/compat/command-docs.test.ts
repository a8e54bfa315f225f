/**
 * COMMAND DOCS and COMMAND INFO beside redis-server 7.0.15: for every command that both know, what clients build their own tables from is the same. The
 * exceptions are named with their reasons.
 */
import { Redis } from "ioredis";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commandTable } from "../../packages/commands/src/index.ts";
import type { CommandRecord } from "../../packages/commands/src/index.ts";
import { syntaxTree } from "../../packages/commands/src/server/syntax-tree.ts";
import type { ArgumentNode } from "../../packages/commands/src/server/syntax-tree.ts";
import { CommandHarness } from "../../packages/commands/testing/command-harness.ts";
import { replyText } from "../../packages/commands/testing/reply-text.ts";
import { RedisConnection, startRedis } from "./redis-judge.ts";
import type { RedisServer } from "./redis-judge.ts";

/** Arguments that are not those of 7.0.15. */
const OTHER_ARGUMENTS: Readonly<Record<string, string>> = {
  "client|kill": "MAXAGE is of 7.4; a choice is told as one instead of as text",
  "client|list": "the token stands at the argument instead of at a block around it",
  "command|getkeys": "7.0.15 tells none",
  "command|getkeysandflags": "7.0.15 tells none",
  "config|get": "no block around one argument",
  debug: "7.0.15 tells none",
  copy: "REPLACE and DB",
  "module|loadex": "no block around one argument",
  psubscribe: "no block around one argument",
  xadd: "options of 8.2 and 8.6, and ACK",
  "xgroup|delconsumer": "HANDBACK is ours",
  xread: "options of 8.10",
  xreadgroup: "options of 8.4 and 8.10",
  xtrim: "options of 8.2; no block around what is not repeated",
};

/** Words that Redis 7.2 has changed, as in 7.0.15 → as here. */
const RENAMED: Readonly<Record<string, string>> = { groupname: "group", consumername: "consumer" };

/** Whatever Redis calls them, they are named by the place where they stand. */
const NAMED_BY_TOKEN: ReadonlySet<string> = new Set(["LASTID", "MAXDELETEDID"]);

/** They are refused, or cost what they cost here. */
const OTHER_INFO: Readonly<Record<string, string>> = {
  eval: "keys of scripts are not told, since there are no scripts",
  eval_ro: "as EVAL",
  evalsha: "as EVAL",
  evalsha_ro: "as EVAL",
  fcall: "as EVAL",
  fcall_ro: "as EVAL",
  move: "since 7.2 it says that the key goes away",
  "xgroup|delconsumer": "HANDBACK is ours: another arity",
  "cluster|bumpepoch": "refused: nothing nondeterministic",
};

let redis: RedisServer;
let docs: ReadonlyMap<string, ReadonlyMap<string, unknown>>;

beforeAll(async () => {
  redis = await startRedis();
  const client = new Redis(redis.port, { protocol: 2 });
  docs = withSubcommands((await client.call("COMMAND", "DOCS")) as unknown[]);
  client.disconnect();
});

afterAll(async () => {
  await redis.stop();
});

function mapOf(flat: unknown[]): Map<string, unknown> {
  const map = new Map<string, unknown>();
  for (let i = 0; i < flat.length; i += 2) map.set(String(flat[i]), flat[i + 1]);
  return map;
}

function withSubcommands(flat: unknown[]): Map<string, ReadonlyMap<string, unknown>> {
  const found = new Map<string, ReadonlyMap<string, unknown>>();
  for (const [name, doc] of mapOf(flat)) {
    const fields = mapOf(doc as unknown[]);
    found.set(name, fields);
    const subcommands = fields.get("subcommands");
    if (subcommands !== undefined)
      for (const [sub, each] of withSubcommands(subcommands as unknown[])) found.set(sub, each);
  }
  return found;
}

/** Ours and theirs: those that both know. */
function known(): { readonly record: CommandRecord; readonly doc: ReadonlyMap<string, unknown> }[] {
  return commandTable
    .flatMap((record) => [record, ...(record.subcommands ?? [])])
    .filter((record) => docs.has(record.name))
    .map((record) => ({ record, doc: docs.get(record.name)! }));
}

function theirArgument(flat: unknown[]): string {
  const fields = mapOf(flat);
  const parts = (fields.get("arguments") as unknown[][] | undefined) ?? [];
  const name = String(fields.get("name")).replaceAll("_", "-");
  const token = fields.has("token") ? String(fields.get("token")) : "";
  const flags = (fields.get("flags") as string[] | undefined) ?? [];
  return shown(RENAMED[name] ?? name, String(fields.get("type")), token, flags, parts.map(theirArgument));
}

function ourArgument(node: ArgumentNode): string {
  const flags: string[] = [];
  if (node.isOptional) flags.push("optional");
  if (node.isMultiple) flags.push("multiple");
  if (node.repeatsToken) flags.push("multiple_token");
  return shown(node.name, node.type, node.token, flags, node.parts.map(ourArgument));
}

/** Names of blocks and alternatives are free. */
function shown(name: string, type: string, token: string, flags: readonly string[], parts: readonly string[]): string {
  const isNamed = type !== "block" && type !== "oneof" && !NAMED_BY_TOKEN.has(token);
  const head = [isNamed ? `${name}:${type}` : type, token === "" ? "" : `"${token}"`, ...flags];
  return `${head.filter((word) => word !== "").join(" ")}${parts.length === 0 ? "" : ` [${parts.join(", ")}]`}`;
}

test("arguments are those of redis-server, by name, type, token and flags", () => {
  const differing: string[] = [];
  for (const { record, doc } of known()) {
    if (record.name in OTHER_ARGUMENTS) continue;
    const theirs = ((doc.get("arguments") as unknown[][] | undefined) ?? []).map(theirArgument).join(", ");
    const tree = record.syntax === "" ? [] : syntaxTree(record.syntax, record.argumentTypes);
    const ours = tree.map(ourArgument).join(", ");
    if (ours !== theirs) differing.push(`${record.name}\n  redis: ${theirs}\n  ours:  ${ours}`);
  }
  expect(differing).toEqual([]);
  expect(known().length).toBeGreaterThan(150);
});

test("summary and group are those of redis-server, and the version since when", () => {
  const differing: string[] = [];
  for (const { record, doc } of known()) {
    if (record.name.endsWith("|help")) continue;
    for (const field of ["summary", "since", "group"] as const) {
      if (doc.get(field) !== record[field])
        differing.push(`${record.name} ${field}: ${String(doc.get(field))} | ${record[field]}`);
    }
  }
  expect(differing).toEqual([]);
});

test("COMMAND INFO is that of redis-server", async () => {
  const connection = await RedisConnection.open(redis.port);
  const harness = new CommandHarness();
  const client = harness.connect();
  const differing: string[] = [];
  for (const { record } of known()) {
    // A container shows its subcommands, of which there are others here; each is looked at by itself.
    if (record.subcommands !== null || record.name in OTHER_INFO) continue;
    const theirs = await connection.ask(`COMMAND INFO ${record.name}`);
    const bytes = harness.type(client, `COMMAND INFO ${record.name}`)[0]!.bytes!;
    const ours = replyText(bytes, 0, bytes.length);
    if (ours !== theirs) differing.push(`${record.name}\n${theirs}\n${ours}`);
  }
  connection.close();
  expect(differing).toEqual([]);
});
