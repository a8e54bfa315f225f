/** ACL as far as there are users: one, `default`, who may do everything without a password. What would make another is refused. */
import type { ReplyWriterApi } from "@headrace/resp";
import { DEFAULT_USER } from "../connection/auth.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import {
  aclUserNotFound,
  Errors,
  subcommandSyntax,
  unknownAclCategory,
  unknownAclCommand,
  wrongArity,
} from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { ACL_CATEGORIES, aclCategories } from "./acl-categories.ts";

type Table = () => readonly CommandRecord[];
type FindByName = (name: string) => CommandRecord | null;

const OPEN = Flag.noscript | Flag.loading | Flag.stale;
const BITS_DEFAULT = 256n;
const BITS_MAX = 4096n;

function sub(
  word: string,
  flags: number,
  spec: Partial<CommandRecord> & { readonly summary: string; readonly answer: (context: SessionContext) => void },
): CommandRecord {
  return defineCommand({
    arity: 2,
    since: "6.0.0",
    group: "server",
    complexity: "O(1)",
    ...spec,
    flags,
    name: `acl|${word}`,
  });
}

export function acl(table: Table, findByName: FindByName): CommandRecord {
  return defineCommand({
    name: "acl",
    arity: -2,
    since: "6.0.0",
    group: "server",
    summary: "A container for Access List Control commands ",
    complexity: "Depends on subcommand.",
    subcommands: [
      catCommand(table),
      deluser,
      dryrunCommand(findByName),
      genpass,
      getuser,
      help,
      list,
      load,
      log,
      saveCommand,
      setuser,
      users,
      whoami,
    ],
  });
}

const whoami = sub("whoami", OPEN, {
  summary: "Return the name of the user associated to the current connection",
  answer: ({ reply }) => reply.bulkLatin1(DEFAULT_USER),
});

const users = sub("users", OPEN | Flag.admin, {
  summary: "List the username of all the configured ACL rules",
  complexity: "O(N). Where N is the number of configured users.",
  answer: ({ reply }) => writeWords(reply, [DEFAULT_USER]),
});

const list = sub("list", OPEN | Flag.admin, {
  summary: "List the current ACL rules in ACL config file format",
  complexity: "O(N). Where N is the number of configured users.",
  answer: ({ reply }) => writeWords(reply, [`user ${DEFAULT_USER} on nopass ~* &* +@all`]),
});

const getuser = sub("getuser", OPEN | Flag.admin, {
  arity: 3,
  summary: "Get the rules for a specific ACL user",
  complexity: "O(N). Where N is the number of password, command and pattern rules that the user has.",
  syntax: "username",
  answer({ request, reply }) {
    if (request.latin1(2) !== DEFAULT_USER) return reply.nullArray();
    reply.map(6);
    reply.bulkLatin1("flags");
    const flags = ["on", "nopass"];
    reply.set(flags.length);
    for (const flag of flags) reply.bulkLatin1(flag);
    reply.bulkLatin1("passwords");
    reply.array(0);
    reply.bulkLatin1("commands");
    reply.bulkLatin1("+@all");
    reply.bulkLatin1("keys");
    reply.bulkLatin1("~*");
    reply.bulkLatin1("channels");
    reply.bulkLatin1("&*");
    reply.bulkLatin1("selectors");
    reply.array(0);
  },
});

function catCommand(table: Table): CommandRecord {
  return sub("cat", OPEN, {
    arity: -2,
    summary: "List the ACL categories or the commands inside a category",
    complexity: "O(1) since the categories and commands are a fixed set.",
    syntax: "[categoryname]",
    answer({ request, reply }) {
      if (request.count === 2) return writeWords(reply, ACL_CATEGORIES);
      if (request.count > 3) return reply.error(subcommandSyntax(request.latin1(1), "acl"));
      const category = request.latin1(2);
      if (!ACL_CATEGORIES.includes(category.toLowerCase())) return reply.error(unknownAclCategory(category));
      const names: string[] = [];
      for (const record of table()) {
        const callable = record.subcommands ?? [record];
        for (const each of callable) if (aclCategories(each).includes(category.toLowerCase())) names.push(each.name);
      }
      writeWords(reply, names);
    },
  });
}

function dryrunCommand(findByName: FindByName): CommandRecord {
  return sub("dryrun", OPEN | Flag.admin, {
    arity: -4,
    since: "7.0.0",
    summary: "Returns whether the user can execute the given command without executing the command.",
    syntax: "username command [arg [arg ...]]",
    answer({ request, reply }) {
      if (request.latin1(2) !== DEFAULT_USER) return reply.error(aclUserNotFound(request.latin1(2)));
      const name = request.latin1(3);
      const container = findByName(name);
      const record =
        container?.subcommands && request.count > 4 ? findByName(`${name}|${request.latin1(4)}`) : container;
      if (!record) return reply.error(unknownAclCommand(name));
      const count = request.count - 3;
      const fits = record.arity >= 0 ? count === record.arity : count >= -record.arity;
      if (!fits) return reply.error(wrongArity(record.name));
      reply.ok();
    },
  });
}

const genpass = sub("genpass", OPEN, {
  arity: -2,
  summary: "Generate a pseudorandom secure password to use for ACL users",
  syntax: "[bits]",
  answer({ request, reply, services }) {
    if (request.count > 3) return reply.error(subcommandSyntax(request.latin1(1), "acl"));
    const bits = request.count === 3 ? request.int64(2) : BITS_DEFAULT;
    if (bits === null) return reply.error(Errors.notInteger);
    if (bits <= 0n || bits > BITS_MAX) return reply.error(Errors.aclGenPass);
    reply.bulkLatin1(services.randomHex(Math.ceil(Number(bits) / 4)));
  },
});

/** Nobody is ever denied anything: the log stays empty. */
const log = sub("log", OPEN | Flag.admin, {
  arity: -2,
  summary: "List latest events denied because of ACLs in place",
  complexity: "O(N) with N being the number of entries shown.",
  syntax: "[count | RESET]",
  answer({ request, reply }) {
    if (request.count > 3) return reply.error(subcommandSyntax(request.latin1(1), "acl"));
    if (request.count === 3 && request.is(2, "RESET")) return reply.ok();
    if (request.count === 3 && request.int64(2) === null) return reply.error(Errors.notInteger);
    reply.array(0);
  },
});

const setuser = sub("setuser", OPEN | Flag.admin, {
  arity: -3,
  summary: "Modify or create the rules for a specific ACL user",
  complexity: "O(N). Where N is the number of rules provided.",
  syntax: "username [rule [rule ...]]",
  answer: ({ reply }) => reply.error(Errors.aclUsers),
});

const deluser = sub("deluser", OPEN | Flag.admin, {
  arity: -3,
  summary: "Remove the specified ACL users and the associated rules",
  complexity: "O(1) amortized time considering the typical user.",
  syntax: "username [username ...]",
  answer({ request, reply }) {
    for (let i = 2; i < request.count; i++) {
      if (request.latin1(i) === DEFAULT_USER) return reply.error(Errors.aclDefaultUser);
    }
    reply.integer(0);
  },
});

function refuseFile({ reply }: SessionContext): void {
  reply.error(Errors.aclNoFile);
}

const load = sub("load", OPEN | Flag.admin, {
  summary: "Reload the ACLs from the configured ACL file",
  complexity: "O(N). Where N is the number of configured users.",
  answer: refuseFile,
});

const saveCommand = sub("save", OPEN | Flag.admin, {
  summary: "Save the current ACL rules in the configured ACL file",
  complexity: "O(N). Where N is the number of configured users.",
  answer: refuseFile,
});

function writeWords(reply: ReplyWriterApi, words: readonly string[]): void {
  reply.array(words.length);
  for (const word of words) reply.bulkLatin1(word);
}

const help = helpCommand(
  "acl",
  "server",
  [],
  [
    "CAT [<category>]",
    "    List all commands that belong to <category>, or all command categories",
    "    when no category is specified.",
    "DELUSER <username> [<username> ...]",
    "    Delete a list of users.",
    "DRYRUN <username> <command> [<arg> ...]",
    "    Returns whether the user can execute the given command without executing the command.",
    "GETUSER <username>",
    "    Get the user's details.",
    "GENPASS [<bits>]",
    "    Generate a secure 256-bit user password. The optional `bits` argument can",
    "    be used to specify a different size.",
    "LIST",
    "    Show users details in config file format.",
    "LOAD",
    "    Reload users from the ACL file.",
    "LOG [<count> | RESET]",
    "    Show the ACL log entries.",
    "SAVE",
    "    Save the current config to the ACL file.",
    "SETUSER <username> <attribute> [<attribute> ...]",
    "    Create or modify a user with the specified attributes.",
    "USERS",
    "    List all the registered usernames.",
    "WHOAMI",
    "    Return the current connection username.",
  ],
);
