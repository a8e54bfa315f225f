/**
 * CLIENT: what a connection may say about itself and see of others. SETNAME GETNAME SETINFO ID INFO LIST as in Redis; ACK is our own: the
 * acknowledgement level of this connection's writes. NO-EVICT, NO-TOUCH and TRACKING OFF are accepted because nothing of ours would differ.
 */
import type { Request } from "@headrace/resp";
import { ackWord, readAck } from "../ack.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import { clientAttributeForm, Errors, unknownClientAttribute } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { list } from "./client-list.ts";
import { clientLine } from "./client-line.ts";
import { unblock } from "./client-unblock.ts";
import { isClientName } from "./client-name.ts";

const FLAGS = Flag.noscript | Flag.loading | Flag.stale;

interface SubcommandSpec {
  readonly word: string;
  readonly arity: number;
  readonly since: string;
  readonly summary: string;
  readonly syntax?: string;
  readonly flags?: number;
  readonly tips?: readonly string[];
  readonly answer: (context: SessionContext) => void;
}

function sub(spec: SubcommandSpec): CommandRecord {
  return defineCommand({
    name: `client|${spec.word}`,
    arity: spec.arity,
    flags: FLAGS | (spec.flags ?? 0),
    since: spec.since,
    group: "connection",
    summary: spec.summary,
    complexity: "O(1)",
    syntax: spec.syntax ?? "",
    categories: ["connection"],
    tips: spec.tips ?? [],
    answer: spec.answer,
  });
}

const setname = sub({
  word: "setname",
  arity: 3,
  since: "2.6.9",
  summary: "Set the current connection name",
  syntax: "connection-name",
  answer({ request, reply, session }) {
    const name = request.latin1(2);
    if (!isClientName(name)) return reply.error(Errors.clientName);
    session.name = name;
    reply.ok();
  },
});

const getname = sub({
  word: "getname",
  arity: 2,
  since: "2.6.9",
  summary: "Get the current connection name",
  answer({ reply, session }) {
    if (session.name === "") return reply.nullBulk();
    reply.bulkLatin1(session.name);
  },
});

const setinfo = sub({
  word: "setinfo",
  arity: 4,
  since: "7.2.0",
  summary: "Sets information specific to the client or connection.",
  syntax: "LIB-NAME libname | LIB-VER libver",
  answer({ request, reply, session }) {
    const isName = request.is(2, "LIB-NAME");
    if (!isName && !request.is(2, "LIB-VER")) return reply.error(unknownClientAttribute(request.latin1(2)));
    const value = request.latin1(3);
    if (!isClientName(value)) return reply.error(clientAttributeForm(isName ? "lib-name" : "lib-ver"));
    if (isName) session.libraryName = value;
    else session.libraryVersion = value;
    reply.ok();
  },
});

const id = sub({
  word: "id",
  arity: 2,
  since: "5.0.0",
  summary: "Returns the client ID for the current connection",
  answer({ reply, session }) {
    reply.integer(session.id);
  },
});

const info = sub({
  word: "info",
  arity: 2,
  since: "6.2.0",
  summary: "Returns information about the current client connection.",
  tips: ["nondeterministic_output"],
  answer({ reply, session, services }) {
    reply.verbatim(`${clientLine(session, services.monotonicMs)}\n`);
  },
});

const ack = sub({
  word: "ack",
  arity: -2,
  since: "7.0.15",
  summary: "Sets or tells the acknowledgement level of this connection's writes (Headrace).",
  syntax: "[0 | 1 | ALL | DEFAULT]",
  answer({ request, reply, session }) {
    if (request.count === 2) return reply.bulkLatin1(ackWord(session.ack));
    if (request.count > 3) return reply.error(Errors.syntax);
    const level = readAck(request, 2);
    if (level === null && !request.is(2, "DEFAULT")) return reply.error(Errors.clientAck);
    session.ack = level;
    reply.ok();
  },
});

/** `ON|OFF` switches that change nothing here. */
function answerSwitch({ request, reply }: SessionContext): void {
  if (isOnOrOff(request, 2)) reply.ok();
  else reply.error(Errors.syntax);
}

function isOnOrOff(request: Request, i: number): boolean {
  return request.is(i, "ON") || request.is(i, "OFF");
}

const noEvict = sub({
  word: "no-evict",
  arity: 3,
  since: "7.0.0",
  flags: Flag.admin,
  summary: "Set client eviction mode for the current connection",
  syntax: "ON | OFF",
  answer: answerSwitch,
});

const noTouch = sub({
  word: "no-touch",
  arity: 3,
  since: "7.2.0",
  summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
  syntax: "ON | OFF",
  answer: answerSwitch,
});

const tracking = sub({
  word: "tracking",
  arity: -3,
  since: "6.0.0",
  summary: "Enable or disable server assisted client side caching support",
  syntax: "ON | OFF",
  answer({ request, reply }) {
    if (request.is(2, "ON")) return reply.error(Errors.clientTracking);
    if (!request.is(2, "OFF")) return reply.error(Errors.syntax);
    reply.ok();
  },
});

const help = helpCommand(
  "client",
  "connection",
  ["connection"],
  [
    "ACK [0|1|ALL|DEFAULT]",
    "    Set or return the acknowledgement level of this connection's writes.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are LIB-NAME and LIB-VER.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "TRACKING OFF",
    "    Server assisted client side caching is not supported.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
  ],
);

export const client = defineCommand({
  name: "client",
  arity: -2,
  since: "2.4.0",
  group: "connection",
  summary: "A container for client connection commands",
  complexity: "Depends on subcommand.",
  subcommands: [ack, getname, help, id, info, list, noEvict, noTouch, setinfo, setname, tracking, unblock],
});
