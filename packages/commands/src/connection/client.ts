/**
 * CLIENT: what a connection may say about itself and see of others. SETNAME GETNAME SETINFO ID INFO LIST as in Redis; ACK is our own: the
 * acknowledgement level of this connection's writes. NO-EVICT and NO-TOUCH are shown in LIST and change nothing else. What takes more than a few lines
 * has a file of its own (client-….ts).
 */
import type { Request } from "@headrace/resp";
import { ackWord, readAck } from "../ack.ts";
import { Flag } from "../command.ts";
import type { CommandRecord, SessionContext } from "../command.ts";
import { clientAttributeForm, Errors, unknownClientAttribute } from "../errors.ts";
import { helpCommand } from "../help.ts";
import { defineCommand } from "../record.ts";
import { backpressure } from "./client-backpressure.ts";
import { kill } from "./client-kill.ts";
import { clientLine } from "./client-line.ts";
import { unblock } from "./client-unblock.ts";
import { list } from "./client-list.ts";
import { isClientName } from "./client-name.ts";
import { pause, unpause } from "./client-pause.ts";
import { replyMode } from "./client-reply.ts";
import { caching, getredir, tracking, trackinginfo } from "./client-tracking.ts";

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
  syntax: "<LIB-NAME libname | LIB-VER libver>",
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
    reply.verbatim(`${clientLine(session, services.wallMs)}\n`);
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

const noEvict = sub({
  word: "no-evict",
  arity: 3,
  since: "7.0.0",
  flags: Flag.admin,
  summary: "Set client eviction mode for the current connection",
  syntax: "<ON | OFF>",
  answer({ request, reply, session }) {
    if (!isOnOrOff(request, 2)) return reply.error(Errors.syntax);
    session.noEvict = request.is(2, "ON");
    reply.ok();
  },
});

const noTouch = sub({
  word: "no-touch",
  arity: 3,
  since: "7.2.0",
  summary: "Controls whether commands sent by the client affect the LRU/LFU of accessed keys.",
  syntax: "<ON | OFF>",
  answer({ request, reply, session }) {
    if (!isOnOrOff(request, 2)) return reply.error(Errors.syntax);
    session.noTouch = request.is(2, "ON");
    reply.ok();
  },
});

function isOnOrOff(request: Request, i: number): boolean {
  return request.is(i, "ON") || request.is(i, "OFF");
}

const help = helpCommand(
  "client",
  "connection",
  ["connection"],
  [
    "ACK [0|1|ALL|DEFAULT]",
    "    Set or return the acknowledgement level of this connection's writes.",
    "BACKPRESSURE (ON|OFF)",
    "    Tell this connection when streams that it writes to are nearly full.",
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "    * ID <client-id>",
    "      Kill connections by client id.",
    "    * MAXAGE <maxage>",
    "      Kill connections older than the specified age.",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching. ON is not supported.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
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
  subcommands: [
    ack,
    backpressure,
    caching,
    getname,
    getredir,
    help,
    id,
    info,
    kill,
    list,
    noEvict,
    noTouch,
    pause,
    replyMode,
    setinfo,
    setname,
    tracking,
    trackinginfo,
    unblock,
    unpause,
  ],
});
