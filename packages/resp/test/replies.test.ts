/** Replies in both versions, by the texts of the RESP2 and RESP3 specifications; and cut apart again. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { ReplyReader, ReplyWriter, skipReply } from "../src/index.ts";

function written(version: 2 | 3, write: (reply: ReplyWriter) => void): string {
  const reply = new ReplyWriter(undefined, version);
  write(reply);
  return Buffer.from(reply.writer.view()).toString("latin1");
}

test.each<[string, (reply: ReplyWriter) => void, string, string]>([
  ["simple", (reply) => reply.simple("PONG"), "+PONG\r\n", "+PONG\r\n"],
  ["ok", (reply) => reply.ok(), "+OK\r\n", "+OK\r\n"],
  ["error", (reply) => reply.error("ERR a\r\nb"), "-ERR a  b\r\n", "-ERR a  b\r\n"],
  ["integer", (reply) => reply.integer(-42), ":-42\r\n", ":-42\r\n"],
  ["integer64", (reply) => reply.integer64(2n ** 63n - 1n), ":9223372036854775807\r\n", ":9223372036854775807\r\n"],
  ["double", (reply) => reply.double(1.5), "$3\r\n1.5\r\n", ",1.5\r\n"],
  ["infinity", (reply) => reply.double(Infinity), "$3\r\ninf\r\n", ",inf\r\n"],
  ["bulk", (reply) => reply.bulkLatin1("a\r\nb"), "$4\r\na\r\nb\r\n", "$4\r\na\r\nb\r\n"],
  ["bulkInteger", (reply) => reply.bulkInteger(-10), "$3\r\n-10\r\n", "$3\r\n-10\r\n"],
  ["nullBulk", (reply) => reply.nullBulk(), "$-1\r\n", "_\r\n"],
  ["nullArray", (reply) => reply.nullArray(), "*-1\r\n", "_\r\n"],
  ["array", (reply) => reply.array(2), "*2\r\n", "*2\r\n"],
  ["map", (reply) => reply.map(2), "*4\r\n", "%2\r\n"],
  ["set", (reply) => reply.set(2), "*2\r\n", "~2\r\n"],
  ["push", (reply) => reply.push(2), "*2\r\n", ">2\r\n"],
  ["boolean", (reply) => reply.boolean(true), ":1\r\n", "#t\r\n"],
  ["verbatim", (reply) => reply.verbatim("abc"), "$3\r\nabc\r\n", "=7\r\ntxt:abc\r\n"],
])("%s is written as the specification says", (_name, write, resp2, resp3) => {
  expect(written(2, write)).toBe(resp2);
  expect(written(3, write)).toBe(resp3);
});

const leaf = fc.constantFrom(
  "+OK\r\n",
  "-ERR x\r\n",
  ":-5\r\n",
  "$-1\r\n",
  "*-1\r\n",
  "_\r\n",
  "$0\r\n\r\n",
  "$4\r\n*1\r\n\r\n",
  "=7\r\ntxt:abc\r\n",
);
const { reply: anyReply } = fc.letrec<{ reply: string }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie("reply"), { maxLength: 4 }).map((items) => `*${items.length}\r\n${items.join("")}`),
    fc
      .array(tie("reply"), { maxLength: 2 })
      .map((items) => `%${items.length}\r\n${items.map((item) => `+k\r\n${item}`).join("")}`),
  ),
}));

test("replies are cut where they end, in any pieces", () => {
  fc.assert(
    fc.property(fc.array(anyReply, { maxLength: 5 }), fc.integer({ min: 1, max: 7 }), (replies, size) => {
      const stream = Buffer.from(replies.join(""), "latin1");
      const reader = new ReplyReader();
      const found: string[] = [];
      for (let at = 0; at < stream.length; at += size) {
        reader.feed(stream.subarray(at, at + size));
        while (reader.next())
          found.push(Buffer.from(reader.bytes.subarray(reader.start, reader.end)).toString("latin1"));
      }
      expect(found).toEqual(replies);
      const first = replies[0];
      if (first === undefined) return;
      expect(skipReply(stream, 0, stream.length)).toBe(first.length);
      for (let end = 0; end < first.length; end++) expect(skipReply(stream, 0, end)).toBe(-1);
    }),
  );
});
