/** TTL, PTTL, EXPIRETIME, PEXPIRETIME key: −2 no such key, −1 it does not expire. Seconds are rounded. */
import { NEVER } from "@headrace/engine";
import { Flag } from "../command.ts";
import type { CommandRecord, ShardContext } from "../command.ts";
import { defineCommand, keyAt } from "../record.ts";

const NO_KEY = -2;
const NO_EXPIRY = -1;

function ttlCommand(
  name: string,
  unitMs: 1 | 1000,
  isAbsolute: boolean,
  spec: Pick<CommandRecord, "since" | "summary"> & Partial<CommandRecord>,
): CommandRecord {
  function execute({ request, reply, keyspace, nowMs }: ShardContext): void {
    const found = keyspace.peek(request.latin1(1));
    if (found === null) return reply.integer(NO_KEY);
    const { expiresAtMs } = found;
    if (expiresAtMs === NEVER) return reply.integer(NO_EXPIRY);
    const shownMs = isAbsolute ? expiresAtMs : Math.max(0, expiresAtMs - nowMs);
    reply.integer(unitMs === 1 ? shownMs : Math.floor((shownMs + 500) / 1000));
  }
  return defineCommand({
    ...spec,
    name,
    arity: 2,
    flags: Flag.readonly | Flag.fast,
    group: "generic",
    complexity: "O(1)",
    syntax: "key",
    categories: ["keyspace"],
    keys: keyAt(1, "RO access"),
    execute,
  });
}

const changing = { tips: ["nondeterministic_output"] } as const;

export const ttl = ttlCommand("ttl", 1000, false, {
  ...changing,
  since: "1.0.0",
  summary: "Get the time to live for a key in seconds",
});

export const pttl = ttlCommand("pttl", 1, false, {
  ...changing,
  since: "2.6.0",
  summary: "Get the time to live for a key in milliseconds",
});

export const expiretime = ttlCommand("expiretime", 1000, true, {
  since: "7.0.0",
  summary: "Get the expiration Unix timestamp for a key",
});

export const pexpiretime = ttlCommand("pexpiretime", 1, true, {
  since: "7.0.0",
  summary: "Get the expiration Unix timestamp for a key in milliseconds",
});
