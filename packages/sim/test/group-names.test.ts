/** The judge of names of groups: histories that are possible pass, and each with one lie in it does not. */
import { expect, test } from "vitest";
import { checkGroupNames } from "../src/checkers/group-names.ts";
import { ErrorReply, type ReplyValue } from "../src/reply-value.ts";
import type { AckLevel, Operation } from "../src/sim-client.ts";
import { did, refused } from "../testing/story.ts";

const taken = new ErrorReply("BUSYGROUP Consumer Group name already exists");

function create(from: number, to: number, reply: ReplyValue, ack: AckLevel = "ALL"): Operation {
  return did(from, to, "XGROUP CREATE g:{a} p1 0 MKSTREAM", reply, ack);
}

function list(from: number, to: number, ...names: string[]): Operation {
  const rows = names.map((name) => ["name", name, "consumers", 0]);
  return did(from, to, "XINFO GROUPS g:{a}", rows);
}

test.each([
  ["created once, taken and listed ever after", [create(1, 2, "OK"), create(3, 4, taken), list(5, 6, "p1")]],
  ["both asked at once, either may have been first", [create(1, 5, taken), create(2, 4, "OK")]],
  ["an early acknowledgement that was lost", [create(1, 2, "OK", "1"), list(3, 4), create(5, 6, "OK")]],
  ["a refusal says nothing", [create(1, 2, refused), list(3, 4)]],
] as const)("is content with %s", (_what, operations) => {
  expect(checkGroupNames(operations)).toBe(operations.filter(({ reply }) => reply === taken).length);
});

test.each([
  ["a group that was created twice", [create(1, 2, "OK"), create(3, 4, "OK")]],
  ["an error about a group that was never to be", [create(1, 2, taken), create(3, 4, "OK")]],
  ["a list that has forgotten a group that an error spoke of", [create(1, 2, taken), list(3, 4, "p2")]],
  ["a list that has forgotten what another list had", [list(1, 2, "p1"), list(3, 4, "p2")]],
] as const)("objects to %s", (_what, operations) => {
  expect(() => checkGroupNames(operations)).toThrow(/group p1 existed for .* but not for/);
});
