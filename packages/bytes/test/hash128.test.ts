/** The digest of byte strings against published values of MurmurHash3_x86_128, and what the sum of digests is good for. */
import { expect, test } from "vitest";
import { asciiBytes, Hash128 } from "../src/index.ts";

function hex(hash: Hash128): string {
  return [hash.a, hash.b, hash.c, hash.d].map((lane) => (lane >>> 0).toString(16).padStart(8, "0")).join("");
}

function digest(seed: number, ...texts: readonly string[]): string {
  const hash = new Hash128();
  hash.reset(seed);
  for (const text of texts) hash.mix(asciiBytes(text), 0, text.length);
  return hex(hash);
}

test("gives the published digest", () => {
  expect(digest(0, "I will not buy this tobacconist's, it is scratched.")).toBe("9b5b7ba2ef3f7866889adeaf00f3f98e");
  expect(digest(0, "")).toBe("00000000000000000000000000000000");
});

test("tells strings by where they end, and their order", () => {
  const all = [
    digest(7, "ab", "c"),
    digest(7, "a", "bc"),
    digest(7, "abc"),
    digest(7, "c", "ab"),
    digest(7, "abc", ""),
    digest(7, "", "abc"),
  ];
  expect(new Set(all).size).toBe(all.length);
});

test("differs for every length and every changed byte of up to forty", () => {
  const seen = new Set<string>();
  const text = "The quick brown fox jumps over the lazy dog";
  for (let length = 1; length <= 40; length++) {
    seen.add(digest(7, text.slice(0, length)));
    for (let at = 0; at < length; at++) seen.add(digest(7, `${text.slice(0, at)}#${text.slice(at + 1, length)}`));
  }
  expect(seen.size).toBe(40 + (40 * 41) / 2);
});

test("sums do not depend on the order", () => {
  const [one, other] = [new Hash128(), new Hash128()];
  const parts = ["a", "b", "c"].map((text) => {
    const part = new Hash128();
    part.mix(asciiBytes(text), 0, 1);
    return part;
  });
  for (const part of parts) one.add(part);
  for (const part of parts.toReversed()) other.add(part);
  expect(hex(one)).toBe(hex(other));
  const bytes = new Uint8Array(17);
  one.writeTo(bytes, 1);
  expect(Buffer.from(bytes).readUInt32LE(1)).toBe(one.a >>> 0);
  expect(Buffer.from(bytes).readUInt32LE(13)).toBe(one.d >>> 0);
});
