/**
 * One command as MONITOR shows it: `1339518083.107412 [0 127.0.0.1:60866] "keys" "*"`. Passwords are left out. Source: redis replication.c
 * replicationFeedMonitors, sds.c sdscatrepr.
 */
import type { Request } from "@headrace/resp";
import { Flag } from "../command.ts";
import type { CommandRecord } from "../command.ts";

const REDACTED = "(redacted)";

/** The line without `+` and CR LF, or null when MONITOR does not show this command. */
export function monitorLine(record: CommandRecord, request: Request, address: string, wallMs: number): string | null {
  if ((record.flags & (Flag.skipMonitor | Flag.admin)) !== 0) return null;
  const seconds = Math.floor(wallMs / 1000);
  const micros = Math.floor((wallMs - seconds * 1000) * 1000);
  let line = `${seconds}.${String(micros).padStart(6, "0")} [0 ${address}]`;
  const secrets = secretArguments(record, request);
  for (let i = 0; i < request.count; i++) line += ` ${quoted(secrets.has(i) ? REDACTED : request.latin1(i))}`;
  return line;
}

const NONE: ReadonlySet<number> = new Set();

/** Positions of user names and passwords: shown neither by MONITOR nor by SLOWLOG. */
export function secretArguments(record: CommandRecord, request: Request): ReadonlySet<number> {
  if (record.name === "auth") return new Set(Array.from({ length: request.count - 1 }, (_, i) => i + 1));
  if (record.name !== "hello") return NONE;
  for (let i = 2; i + 2 < request.count; i++) if (request.is(i, "AUTH")) return new Set([i + 1, i + 2]);
  return NONE;
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
