/** A RESP2 connection with subscriptions could not tell a reply from a message: it may only change them, ping and leave. */
import type { CommandRecord, Session } from "../command.ts";
import { notWhileSubscribed } from "../errors.ts";
import { isSubscriber } from "./channel-kind.ts";

const ALLOWED: ReadonlySet<string> = new Set([
  "ping",
  "psubscribe",
  "punsubscribe",
  "quit",
  "reset",
  "ssubscribe",
  "subscribe",
  "sunsubscribe",
  "unsubscribe",
]);

export function runsWhileSubscribed(record: CommandRecord): boolean {
  return ALLOWED.has(record.name);
}

/** The error text, or null: it may run. */
export function refusedToSubscriber(session: Session, record: CommandRecord | null): string | null {
  if (record === null || session.respVersion === 3 || !isSubscriber(session.subscriptions)) return null;
  return runsWhileSubscribed(record) ? null : notWhileSubscribed(record.name);
}
