/** READONLY, READWRITE, ASKING: cluster clients send them; here every read goes to the leader and no slot is ever half moved. */
import { Flag } from "../command.ts";
import type { SessionContext } from "../command.ts";
import { defineCommand } from "../record.ts";

function answerOk({ reply }: SessionContext): void {
  reply.ok();
}

const shared = {
  arity: 1,
  since: "3.0.0",
  group: "cluster",
  complexity: "O(1)",
  categories: ["connection"],
  answer: answerOk,
} as const;

export const readonly = defineCommand({
  ...shared,
  name: "readonly",
  flags: Flag.loading | Flag.stale | Flag.fast,
  summary: "Enables read queries for a connection to a cluster replica node",
});

export const readwrite = defineCommand({
  ...shared,
  name: "readwrite",
  flags: Flag.loading | Flag.stale | Flag.fast,
  summary: "Disables read queries for a connection to a cluster replica node",
});

export const asking = defineCommand({
  ...shared,
  name: "asking",
  flags: Flag.fast,
  summary: "Sent by cluster clients after an -ASK redirect",
});
