/** DUMP and RESTORE: what goes out comes in again, and what comes from anybody does no harm. */
import { asciiBytes, concatBytes, crc64 } from "@headrace/bytes";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BadDumpError } from "../src/dump/bad-dump.ts";
import { lzfDecompress } from "../src/dump/lzf.ts";
import { CORRUPT_PAYLOADS } from "../testing/corrupt-payloads.ts";
import { BinaryShell } from "../testing/binary-shell.ts";

const SEED = Number(process.env["HEADRACE_SEED"] ?? 20261129);

/** A stream with everything that a stream can have. */
function filled(): BinaryShell {
  const shell = new BinaryShell();
  for (let i = 1; i <= 300; i++) shell.ask("XADD", "s", `${i}-${i % 7}`, "field", `${i}`, "other", "v".repeat(i % 90));
  shell.ask("XDEL", "s", "5-5", "300-6");
  for (const group of ["g", "h"]) shell.ask("XGROUP", "CREATE", "s", group, "0");
  for (const consumer of ["alice", "bob"])
    shell.ask("XREADGROUP", "GROUP", "g", consumer, "COUNT", "70", "STREAMS", "s", ">");
  shell.ask("XACK", "s", "g", "3-3", "90-6");
  shell.ask("XNACK", "s", "g", "FAIL", "IDS", "3", "8-1", "7-0", "60-4");
  shell.ask("XGROUP", "CREATECONSUMER", "s", "h", "idle one");
  shell.ask("XCFGSET", "s", "IDMP-DURATION", "50", "ACK", "1");
  shell.ask("XGROUP", "SETRETRY", "s", "g", "MIN-IDLE", "60000", "BACKOFF", "2", "MAX", "3600000");
  for (let i = 0; i < 40; i++) shell.ask("XADD", "s", "IDMP", `p${i % 3}`, `iid ${i}`, "*", "f", "v");
  return shell;
}

const LOOKS: readonly (readonly string[])[] = [
  ["XINFO", "STREAM", "s", "FULL", "COUNT", "0"],
  ["XINFO", "STREAM", "s"],
  ["XPENDING", "s", "g"],
  ["XPENDING", "s", "g", "-", "+", "1000"],
  ["XRANGE", "s", "-", "+"],
];

/** Everything that a client may do next with what is there. */
function useAll(shell: BinaryShell): void {
  shell.harness.state.verify();
  for (const look of LOOKS) shell.ask(...look);
  shell.ask("XREVRANGE", "s", "+", "-", "COUNT", "10");
  shell.ask("XREADGROUP", "GROUP", "g", "eve", "COUNT", "5", "CLAIM", "0", "STREAMS", "s", ">");
  shell.ask("XAUTOCLAIM", "s", "g", "eve", "0", "0");
  shell.ask("XADD", "s", "IDMP", "p1", "iid 4", "*", "f", "v");
  shell.ask("XTRIM", "s", "MAXLEN", "~", "3");
  shell.ask("COPY", "s", "{s}t", "REPLACE");
  shell.ask("XGROUP", "DESTROY", "s", "g");
  shell.harness.state.verify();
}

/** With a checksum that fits, or with none. */
function resealed(payload: Uint8Array, withSum: boolean): Uint8Array {
  const sealed = Uint8Array.from(payload);
  const end = sealed.length - 8;
  if (end < 0) return sealed;
  sealed.set(withSum ? crc64(sealed, 0, end) : new Uint8Array(8), end);
  return sealed;
}

test("CRC-64 is Redis' own", () => {
  expect(
    Buffer.from(crc64(asciiBytes("123456789"), 0, 9))
      .reverse()
      .toString("hex"),
  ).toBe("e9c6d914c4b8d9ca");
});

describe("a stream that goes out and comes in again", () => {
  test("is the same in all that can be seen of it, and goes on the same way", () => {
    const before = filled();
    const after = new BinaryShell();
    expect(after.text("RESTORE", "s", "0", before.dump("s"))).toBe("OK");
    after.harness.state.verify();
    for (const look of LOOKS) expect(after.text(...look)).toBe(before.text(...look));
    for (const shell of [before, after]) {
      shell.ask("XREADGROUP", "GROUP", "g", "carol", "CLAIM", "0", "COUNT", "20", "STREAMS", "s", ">");
      shell.ask("XADD", "s", "IDMP", "p1", "iid 4", "*", "f", "v");
      shell.ask("XADD", "s", "MAXLEN", "~", "150", "*", "f", "v");
    }
    for (const look of LOOKS) expect(after.text(...look)).toBe(before.text(...look));
    expect(Buffer.from(after.dump("s")).equals(Buffer.from(before.dump("s")))).toBe(true);
  });

  test("without entries, groups or settings is the same too", () => {
    const before = new BinaryShell();
    before.ask("XADD", "s", "7-7", "f", "v");
    before.ask("XDEL", "s", "7-7");
    const after = new BinaryShell();
    expect(after.text("RESTORE", "s", "0", before.dump("s"))).toBe("OK");
    for (const look of LOOKS) expect(after.text(...look)).toBe(before.text(...look));
  });

  test("may say that it has no checksum", () => {
    const shell = filled();
    expect(shell.text("RESTORE", "{s}t", "0", resealed(shell.dump("s"), false))).toBe("OK");
  });
});

describe("a stream of a Redis 7.2 (type 21)", () => {
  // DUMP by redis-server 7.0.15 (type 19) of: XADD s 1-1 f v, XGROUP CREATE s g 0, XREADGROUP GROUP g c STREAMS s >; up to the consumer's active time …
  const front =
    "0110000000000000000100000000000000011d1d0000000a0001010001010181660200010201000100018176020401ff01010101010000010101670101010100000000000000010000000000000001" +
    "97da1325a2010000" +
    "0101" +
    "0163" +
    "97da1325a2010000";
  // … and behind it.
  const back = "01" + "00000000000000010000000000000001" + "0b00" + "0000000000000000";

  test("says when its consumers got something last", () => {
    const shell = new BinaryShell();
    const payload = Buffer.from(`15${front}${"e803000000000000"}${back}`, "hex");
    expect(shell.text("RESTORE", "s", "0", payload)).toBe("OK");
    const full = shell.text("XINFO", "STREAM", "s", "FULL");
    expect(full.replaceAll(/\s+\d+\) /g, " ")).toContain(
      '"seen-time" (integer) 1795918387863 "active-time" (integer) 1000 "pel-count" (integer) 1',
    );
    const never = Buffer.from(`15${front}${"ffffffffffffffff"}${back}`, "hex");
    expect(shell.text("RESTORE", "s", "0", never, "REPLACE")).toBe("OK");
    expect(shell.text("XINFO", "STREAM", "s", "FULL").replaceAll(/\s+\d+\) /g, " ")).toContain(
      '"active-time" (integer) -1',
    );
  });

  test("of type 19 has none of its own: what was seen last counts", () => {
    const shell = new BinaryShell();
    expect(shell.text("RESTORE", "s", "0", Buffer.from(`13${front}${back}`, "hex"))).toBe("OK");
    expect(shell.text("XINFO", "STREAM", "s", "FULL").replaceAll(/\s+\d+\) /g, " ")).toContain(
      '"active-time" (integer) 1795918387863',
    );
  });
});

describe(`a payload from anybody (seed ${SEED})`, () => {
  const own = filled().dump("s");

  function attempt(payload: Uint8Array): string {
    const shell = new BinaryShell();
    const answer = shell.text("RESTORE", "s", "0", payload);
    expect(answer).toMatch(/^(OK|\(error\) ERR (Bad data format|DUMP payload version or checksum are wrong))$/);
    if (answer === "OK") useAll(shell);
    return answer;
  }

  test("that once broke a Redis is refused, or harmless", () => {
    for (const payload of CORRUPT_PAYLOADS) {
      const bytes = Buffer.from(payload, "base64");
      attempt(bytes);
      attempt(resealed(bytes, true));
    }
  });

  test("may end anywhere", () => {
    for (let length = 0; length < own.length; length += 1 + (length >> 5))
      attempt(resealed(own.slice(0, length), true));
  });

  test("may be changed anywhere", () => {
    const sources = [own, ...CORRUPT_PAYLOADS.map((payload) => Buffer.from(payload, "base64"))];
    const change = fc.record({ at: fc.nat(), byte: fc.nat({ max: 255 }), cut: fc.nat({ max: 4 }) });
    let taken = 0;
    fc.assert(
      fc.property(
        fc.nat(),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        fc.boolean(),
        (pick, changes, withSum) => {
          const source = sources[pick % 3 === 0 ? 0 : pick % sources.length]!;
          let bytes: Uint8Array = Uint8Array.from(source);
          for (const { at, byte, cut } of changes) {
            const place = at % (bytes.length - 10);
            bytes[place] = byte;
            // Now and then something is missing, and everything behind it has moved.
            if (cut === 4) bytes = concatBytes([bytes.subarray(0, place), bytes.subarray(place + (byte % 3))]);
          }
          if (attempt(resealed(bytes, withSum)) === "OK") taken++;
        },
      ),
      { seed: SEED, numRuns: 600 },
    );
    expect(taken).toBeGreaterThan(10);
  });

  test("may claim to unpack to anything", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat({ max: 5000 }), (packed, length) => {
        try {
          expect(lzfDecompress(packed, 0, packed.length, length).length).toBe(length);
        } catch (error) {
          expect(error).toBeInstanceOf(BadDumpError);
        }
      }),
      { seed: SEED, numRuns: 500 },
    );
  });
});
