/**
 * COMMAND and its subcommands: the table, told to clients. The table is handed in as functions, since this record stands in it.
 */
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import { Errors } from "../errors.ts";
import { globMatches } from "../glob.ts";
import { helpCommand } from "../help.ts";
import { findKeys } from "../keys.ts";
import { defineCommand } from "../record.ts";
import { RequestTail } from "../request-tail.ts";
import { aclCategories } from "./acl-categories.ts";
import { writeCommandDocs } from "./command-docs.ts";
import { writeCommandInfo } from "./command-info.ts";

type Table = () => readonly CommandRecord[];
type FindByName = (name: string) => CommandRecord | null;

const FLAGS = Flag.loading | Flag.stale;
const BY_TABLE_SIZE = "O(N) where N is the total number of Redis commands";
const BY_NAMES = "O(N) where N is the number of commands to look up";
const BY_ARGUMENTS = "O(N) where N is the number of arguments to the command";

function sub(
  word: string,
  spec: Partial<CommandRecord> & {
    readonly summary: string;
    readonly answer: (context: SessionContext) => void;
  },
): CommandRecord {
  return defineCommand({
    arity: -2,
    flags: FLAGS,
    since: "7.0.0",
    group: "server",
    complexity: BY_NAMES,
    categories: ["connection"],
    ...spec,
    name: `command|${word}`,
  });
}

export function command(table: Table, findByName: FindByName): CommandRecord {
  return defineCommand({
    name: "command",
    arity: -1,
    flags: FLAGS,
    since: "2.8.13",
    group: "server",
    summary: "Get array of Redis command details",
    complexity: BY_TABLE_SIZE,
    categories: ["connection"],
    tips: ["nondeterministic_output_order"],
    subcommands: [
      countCommand(table),
      docsCommand(table, findByName),
      getKeysCommand(findByName),
      getKeysAndFlagsCommand(findByName),
      helpLines,
      infoCommand(table, findByName),
      listCommand(table),
    ],
    answer: ({ reply }) => writeAllInfo(reply, table()),
  });
}

function writeAllInfo(reply: ReplyWriterApi, records: readonly CommandRecord[]): void {
  reply.array(records.length);
  for (const record of records) writeCommandInfo(reply, record);
}

function countCommand(table: Table): CommandRecord {
  return sub("count", {
    arity: 2,
    since: "2.8.13",
    summary: "Get total number of Redis commands",
    complexity: "O(1)",
    answer: ({ reply }) => reply.integer(table().length),
  });
}

function infoCommand(table: Table, findByName: FindByName): CommandRecord {
  return sub("info", {
    since: "2.8.13",
    summary: "Get array of specific Redis command details, or all when no argument is given.",
    syntax: "[command-name [command-name ...]]",
    tips: ["nondeterministic_output_order"],
    answer({ request, reply }) {
      if (request.count === 2) return writeAllInfo(reply, table());
      reply.array(request.count - 2);
      for (let i = 2; i < request.count; i++) {
        const record = findByName(request.latin1(i));
        if (record === null) reply.nullBulk();
        else writeCommandInfo(reply, record);
      }
    },
  });
}

function docsCommand(table: Table, findByName: FindByName): CommandRecord {
  return sub("docs", {
    summary: "Get array of specific Redis command documentation",
    syntax: "[command-name [command-name ...]]",
    tips: ["nondeterministic_output_order"],
    answer({ request, reply }) {
      let wanted = table();
      if (request.count > 2) {
        const named: CommandRecord[] = [];
        for (let i = 2; i < request.count; i++) {
          const record = findByName(request.latin1(i));
          if (record !== null) named.push(record);
        }
        wanted = named;
      }
      reply.map(wanted.length);
      for (const record of wanted) writeCommandDocs(reply, record);
    },
  });
}

function listCommand(table: Table): CommandRecord {
  return sub("list", {
    summary: "Get an array of Redis command names",
    complexity: BY_TABLE_SIZE,
    syntax: "[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]",
    tips: ["nondeterministic_output_order"],
    answer({ request, reply }) {
      const wanted = readListFilter(request);
      if (wanted === null) return reply.error(Errors.syntax);
      const names: string[] = [];
      for (const record of table()) {
        for (const each of [record, ...(record.subcommands ?? [])]) if (wanted(each)) names.push(each.name);
      }
      reply.array(names.length);
      for (const name of names) reply.bulkLatin1(name);
    },
  });
}

/** Without a filter only whole commands are listed, with one their subcommands too, as in Redis. */
function readListFilter(request: Request): ((record: CommandRecord) => boolean) | null {
  if (request.count === 2) return (record) => !record.name.includes("|");
  if (request.count !== 5 || !request.is(2, "FILTERBY")) return null;
  const value = request.latin1(4);
  if (request.is(3, "MODULE")) return () => false;
  if (request.is(3, "ACLCAT")) return (record) => aclCategories(record).includes(value.toLowerCase());
  if (request.is(3, "PATTERN")) return (record) => globMatches(value, record.name, true);
  return null;
}

function getKeysCommand(findByName: FindByName): CommandRecord {
  return sub("getkeys", {
    arity: -4,
    since: "2.8.13",
    summary: "Extract keys given a full Redis command",
    complexity: BY_ARGUMENTS,
    syntax: "command [arg [arg ...]]",
    answer({ request, reply }) {
      const keys = readKeys(request, findByName);
      if (typeof keys === "string") return reply.error(keys);
      reply.array(keys.names.length);
      for (const name of keys.names) reply.bulkLatin1(name);
    },
  });
}

function getKeysAndFlagsCommand(findByName: FindByName): CommandRecord {
  return sub("getkeysandflags", {
    arity: -4,
    summary: "Extract keys and access flags given a full Redis command",
    complexity: BY_ARGUMENTS,
    syntax: "command [arg [arg ...]]",
    answer({ request, reply }) {
      const keys = readKeys(request, findByName);
      if (typeof keys === "string") return reply.error(keys);
      reply.array(keys.names.length);
      for (const name of keys.names) {
        reply.array(2);
        reply.bulkLatin1(name);
        reply.set(keys.access.length);
        for (const word of keys.access) reply.simple(word);
      }
    },
  });
}

/** Keys of the command in the arguments behind GETKEYS, or the error text. */
function readKeys(
  request: Request,
  findByName: FindByName,
): { readonly names: readonly string[]; readonly access: readonly string[] } | string {
  const tail = new RequestTail(request, 2);
  const container = findByName(tail.latin1(0));
  const record =
    container?.subcommands && tail.count > 1 ? findByName(`${tail.latin1(0)}|${tail.latin1(1)}`) : container;
  if (!record) return Errors.invalidCommand;
  if (record.keys === null) return Errors.noKeyArguments;
  const fits = record.arity >= 0 ? tail.count === record.arity : tail.count >= -record.arity;
  if (!fits) return Errors.invalidArguments;
  const positions: number[] = [];
  const { keyword } = record.keys;
  const found = keyword === null ? findKeys(record, tail, positions) : findBehind(keyword, tail, positions);
  if (found <= 0) return Errors.invalidArgumentsForKeys;
  return { names: positions.slice(0, found).map((i) => tail.latin1(i)), access: record.keys.access };
}

/** As the key specification says it to clients: half of what follows the word, rounded down. */
function findBehind(
  keyword: { readonly word: string; readonly startFrom: number },
  tail: Request,
  into: number[],
): number {
  let at = keyword.startFrom;
  while (at < tail.count && !tail.is(at, keyword.word)) at++;
  const found = Math.floor((tail.count - at - 1) / 2);
  for (let i = 0; i < found; i++) into[i] = at + 1 + i;
  return found;
}

const helpLines = helpCommand(
  "command",
  "server",
  ["connection"],
  [
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
  ],
);
