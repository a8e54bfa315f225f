/** PING [message] */
import { Flag } from "../command.ts";
import { wrongArity } from "../errors.ts";
import { isSubscriber } from "../pubsub/channel-kind.ts";
import { defineCommand } from "../record.ts";

export const ping = defineCommand({
  name: "ping",
  arity: -1,
  flags: Flag.fast,
  since: "1.0.0",
  group: "connection",
  summary: "Ping the server",
  complexity: "O(1)",
  syntax: "[message]",
  categories: ["connection"],
  tips: ["request_policy:all_shards", "response_policy:all_succeeded"],
  answer({ request, reply, session }) {
    if (request.count > 2) return reply.error(wrongArity("ping"));
    // A RESP2 subscriber reads nothing but pushes.
    if (session.respVersion === 2 && isSubscriber(session.subscriptions)) {
      reply.array(2);
      reply.bulkLatin1("pong");
      return reply.bulkLatin1(request.count === 1 ? "" : request.latin1(1));
    }
    if (request.count === 1) return reply.simple("PONG");
    reply.bulk(request.bytes, request.start(1), request.end(1));
  },
});
