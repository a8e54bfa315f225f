/** DUMP and RESTORE of hashes: payloads of our own, and such that nobody should send. Those of a redis-server: testdata/hash-dump.txt. */
import { ByteWriter, crc64 } from "@headrace/bytes";
import { expect, test } from "vitest";
import { BinaryShell } from "../testing/binary-shell.ts";

const sortedLines = (text: string): string[] =>
  text
    .split("\n")
    .map((line) => line.replace(/^ *\d+\) /, ""))
    .sort();

test("what goes out comes in again, however large, and listpacks in their order", () => {
  const shell = new BinaryShell();
  for (let i = 0; i < 3000; i += 100) {
    const pairs = Array.from({ length: 100 }, (_, k) => [`field:${i + k}`, "v".repeat((i * 7 + k) % 90)]).flat();
    shell.ask("HSET", "big", ...pairs);
  }
  shell.ask("HSET", "small", "b", "1", "a", "\u00ff", "", "-12345", "12", "");
  for (const key of ["big", "small"]) {
    expect(shell.text("RESTORE", "copy", "0", shell.dump(key), "REPLACE")).toBe("OK");
    expect(sortedLines(shell.text("HGETALL", "copy"))).toEqual(sortedLines(shell.text("HGETALL", key)));
    expect(shell.text("OBJECT", "ENCODING", "copy")).toBe(shell.text("OBJECT", "ENCODING", key));
  }
  expect(shell.text("HKEYS", "copy")).toBe(shell.text("HKEYS", "small"));
  shell.harness.state.verify();
});

/** A payload with a footer that is right. */
function payloadOf(type: number, body: (writer: ByteWriter) => void): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(type);
  body(writer);
  writer.u16(10);
  writer.all(crc64(writer.bytes, 0, writer.length));
  return writer.take(0);
}

/** Of type 4. */
function hashOf(words: readonly string[], stated: number): Uint8Array {
  return payloadOf(4, (writer) => {
    writer.u8(stated);
    for (const word of words) {
      writer.u8(word.length);
      writer.latin1(word);
    }
  });
}

/** Of type 16, its words shorter than 64 bytes: u32 bytes · u16 words · {0x80 + length · word · u8 bytes of both} · 0xff. */
function listpackOf(words: readonly string[]): Uint8Array {
  return payloadOf(16, (writer) => {
    const bytes = 7 + words.reduce((sum, word) => sum + word.length + 2, 0);
    writer.u8(bytes);
    writer.u32(bytes);
    writer.u16(words.length);
    for (const word of words) {
      writer.u8(0x80 + word.length);
      writer.latin1(word);
      writer.u8(word.length + 1);
    }
    writer.u8(0xff);
  });
}

test("listpacks and hash tables that are as they should be come in", () => {
  const shell = new BinaryShell();
  expect(shell.text("RESTORE", "h", "0", hashOf(["a", "1", "b", "2"], 2))).toBe("OK");
  expect(shell.text("HMGET", "h", "a", "b")).toBe('1) "1"\n2) "2"');
  expect(shell.text("RESTORE", "l", "0", listpackOf(["a", "1", "b", "2"]))).toBe("OK");
  expect(shell.text("HMGET", "l", "a", "b")).toBe('1) "1"\n2) "2"');
});

test.each([
  ["a field twice", hashOf(["a", "1", "a", "2"], 2)],
  ["a field twice in a listpack", listpackOf(["a", "1", "a", "2"])],
  ["a field without a value", hashOf(["a"], 1)],
  ["a field without a value in a listpack", listpackOf(["a", "1", "b"])],
  ["no fields", hashOf([], 0)],
  ["no fields in a listpack", listpackOf([])],
  ["fewer than it says", hashOf(["a", "1"], 2)],
  ["more than it says", hashOf(["a", "1", "b", "2"], 1)],
])("%s is refused", (_name, payload) => {
  const shell = new BinaryShell();
  expect(shell.text("RESTORE", "h", "0", payload)).toBe("(error) ERR Bad data format");
  expect(shell.text("EXISTS", "h")).toBe("(integer) 0");
});
