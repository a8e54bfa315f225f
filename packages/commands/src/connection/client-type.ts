/** The types of clients that CLIENT LIST and CLIENT KILL tell apart. */
import type { Request } from "@headrace/resp";
import type { Session } from "../command.ts";
import { isSubscriber } from "../pubsub/channel-kind.ts";

/** What a connection can be here; Redis' masters and replicas never show up as clients. */
export type ClientType = "normal" | "pubsub" | "master" | "replica";

const WORDS: readonly (readonly [upperCase: string, type: ClientType])[] = [
  ["NORMAL", "normal"],
  ["MASTER", "master"],
  ["REPLICA", "replica"],
  ["SLAVE", "replica"],
  ["PUBSUB", "pubsub"],
];

/** The type that argument i names, or null. */
export function readClientType(request: Request, i: number): ClientType | null {
  for (const [word, type] of WORDS) if (request.is(i, word)) return type;
  return null;
}

export function clientTypeOf(session: Session): ClientType {
  return isSubscriber(session.subscriptions) ? "pubsub" : "normal";
}
