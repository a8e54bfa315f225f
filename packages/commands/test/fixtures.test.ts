/**
 * Every fixture against the pure handlers. The replies in the fixtures come from redis-server 7.0.15 (test/compat writes and judges them), or,
 * where a case is marked, from the reference of later versions.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { replyText } from "../testing/reply-text.ts";
import { runCase } from "../testing/run-case.ts";
import { parseTranscript, respVersions, titleOf } from "../testing/transcript.ts";
import { commandTable } from "../src/index.ts";

const folder = join(import.meta.dirname, "testdata");
const files = readdirSync(folder).toSorted();

describe.each(files)("%s", (file) => {
  const cases = parseTranscript(readFileSync(join(folder, file), "latin1"));
  for (const each of cases.filter(({ marks }) => !marks.has("gateway"))) {
    test.each(respVersions(each))(`${titleOf(each)} (line ${each.at}, RESP%i)`, (version) => {
      expect(runCase(each, version)).toBe(each.expected);
    });
  }
});

test("every command with a handler has a fixture", () => {
  const covered = files.map((file) => file.replace(".txt", ""));
  const missing = commandTable.filter(
    (record) => record.scope !== "gateway" && record.name !== "info" && !covered.includes(record.name),
  );
  expect(missing.map((record) => record.name)).toEqual([]);
});

test("a reply is shown as redis-cli shows it", () => {
  const reply = Buffer.from("*3\r\n:1\r\n*2\r\n$1\r\na\r\n$-1\r\n%1\r\n+k\r\n*0\r\n", "latin1");
  expect(replyText(reply, 0, reply.length)).toBe('1) (integer) 1\n2) 1) "a"\n   2) (nil)\n3) 1# k => (empty array)');
});
