/** DUMP and RESTORE of sorted sets: payloads of a redis-server 7.0.15, our own, and such that nobody should send. */
import { ByteWriter, crc64 } from "@headrace/bytes";
import { expect, test } from "vitest";
import { BinaryShell } from "../testing/binary-shell.ts";

const HEX = {
  /** ZADD z 1 a 2.5 bb -inf c 70000 d: a listpack. */
  small: "1126260000000800816302842d696e660581610201018262620383322e3504816402f270110104ff0a00bcc188a2e5eed0fb",
  /** ZADD y 1.5 <65 times m> -2 x: the members' bytes are packed, too. */
  large: "0502c3094041016d6de03400016d6d000000000000f83f017800000000000000c00a00c9d203c1fa10bae6",
};

test("what a redis-server dumps of a small and of a large set comes in", () => {
  const shell = new BinaryShell();
  expect(shell.text("RESTORE", "z", "0", Buffer.from(HEX.small, "hex"))).toBe("OK");
  expect(shell.text("ZRANGE", "z", "0", "-1", "WITHSCORES").match(/"[^"]*"/g)).toEqual(
    ["c", "-inf", "a", "1", "bb", "2.5", "d", "70000"].map((word) => `"${word}"`),
  );
  expect(shell.text("OBJECT", "ENCODING", "z")).toBe('"listpack"');
  expect(shell.text("RESTORE", "y", "0", Buffer.from(HEX.large, "hex"))).toBe("OK");
  expect(shell.text("ZSCORE", "y", "m".repeat(65))).toBe('"1.5"');
  expect(shell.text("OBJECT", "ENCODING", "y")).toBe('"skiplist"');
  shell.harness.state.verify();
});

test("what goes out comes in again, however large", () => {
  const shell = new BinaryShell();
  for (let i = 0; i < 3000; i += 100) {
    const pairs = Array.from({ length: 100 }, (_, k) => [`${((i + k) * 37) % 1000}.25`, `member:${i + k}`]).flat();
    shell.ask("ZADD", "big", ...pairs);
  }
  shell.ask("ZADD", "small", "inf", "\u00ff", "-inf", "", "5e-324", "12");
  for (const key of ["big", "small"]) {
    expect(shell.text("RESTORE", "copy", "0", shell.dump(key), "REPLACE")).toBe("OK");
    expect(shell.text("ZRANGE", "copy", "0", "-1", "WITHSCORES")).toBe(
      shell.text("ZRANGE", key, "0", "-1", "WITHSCORES"),
    );
  }
  shell.harness.state.verify();
});

/** A payload of type 5 with a footer that is right. */
function payloadOf(
  elements: readonly (readonly [member: string, score: number])[],
  stated = elements.length,
): Uint8Array {
  const writer = new ByteWriter();
  writer.u8(5);
  writer.u8(stated);
  for (const [member, score] of elements) {
    writer.u8(member.length);
    writer.latin1(member);
    writer.f64(score);
  }
  writer.u16(10);
  writer.all(crc64(writer.bytes, 0, writer.length));
  return writer.take(0);
}

test.each([
  ["a score that is no number", payloadOf([["a", Number.NaN]])],
  [
    "a member twice",
    payloadOf([
      ["a", 1],
      ["a", 2],
    ]),
  ],
  ["no members", payloadOf([])],
  ["fewer than it says", payloadOf([["a", 1]], 3)],
  [
    "more than it says",
    payloadOf(
      [
        ["a", 1],
        ["b", 1],
      ],
      1,
    ),
  ],
])("%s is refused", (_name, payload) => {
  const shell = new BinaryShell();
  expect(shell.text("RESTORE", "z", "0", payload)).toBe("(error) ERR Bad data format");
  expect(shell.text("EXISTS", "z")).toBe("(integer) 0");
});

test("zero has no sign in memory, whatever a payload says", () => {
  const shell = new BinaryShell();
  expect(shell.text("RESTORE", "z", "0", payloadOf([["a", -0]]))).toBe("OK");
  expect(shell.text("ZSCORE", "z", "a")).toBe('"0"');
});
