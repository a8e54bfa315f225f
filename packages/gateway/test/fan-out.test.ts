/** One reply out of several: MGET's elements come back in the order in which the client named its keys. */
import { bytesOf } from "@headrace/bytes";
import { expect, test } from "vitest";
import { mergeReplies } from "../src/fan-out.ts";

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");

test("elements of two shards stand in the caller's order, nils and line ends inside values too", () => {
  const first = bytesOf("*3\r\n$1\r\na\r\n$-1\r\n$4\r\n\r\n$1\r\n");
  const second = bytesOf("*2\r\n_\r\n$0\r\n\r\n");
  const merged = mergeReplies([first, second], "inOrder", [1, 0, 0, 1, 0]);
  expect(text(merged)).toBe("*5\r\n_\r\n$1\r\na\r\n$-1\r\n$0\r\n\r\n$4\r\n\r\n$1\r\n");
});

test("sums count integers alone", () => {
  expect(text(mergeReplies([bytesOf(":2\r\n"), bytesOf(":40\r\n")], "sum"))).toBe(":42\r\n");
});
