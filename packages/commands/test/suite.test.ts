/** What the public test suites for stream servers look at, against the pure handlers, on connections of both versions of the protocol. */
import { expect, test } from "vitest";
import { CommandHarness } from "../testing/command-harness.ts";
import { replyText } from "../testing/reply-text.ts";
import { suiteCases } from "../testing/suite-cases.ts";

test.each(suiteCases)("$name", ({ commands, expected }) => {
  const harness = new CommandHarness();
  const client = harness.connect();
  const seen: string[] = [];
  for (const command of commands) {
    for (const { bytes } of harness.type(client, command)) seen.push(replyText(bytes!, 0, bytes!.length));
  }
  expect(seen.slice(-expected.length)).toEqual(expected);
});
