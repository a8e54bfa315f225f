/** The checker of hashes: stories that can be true, and those that cannot. */
import { expect, test } from "vitest";
import { checkHashes, type HashesView } from "../src/checkers/hashes.ts";
import type { Operation } from "../src/sim-client.ts";
import { did, refused, uncertain } from "../testing/story.ts";

const W = "hw:{a}";
const set = did(1, 2, `HSET ${W} f a:1`, 1);
const setAgain = did(5, 6, `HSET ${W} f a:2`, 0);
const deleted = did(5, 6, `HDEL ${W} f`, 1);
const pair = did(5, 8, `HSET ${W} f a:2 g a:3`, 2);

function saw(from: number, to: number, ...flat: readonly string[]): Operation {
  return did(from, to, `HGETALL ${W}`, flat);
}

function ends(...registers: readonly string[]): HashesView {
  return { registers, counts: [null, null], quarters: [null, null] };
}

function counts(m: string | null, quarters: string | null): HashesView {
  return { registers: [], counts: [m, null], quarters: [quarters, null] };
}

type Story = readonly [string, readonly Operation[], HashesView];

const possible: readonly Story[] = [
  ["a field that is set", [set, saw(3, 4, "f", "a:1")], ends("f", "a:1")],
  ["one that is set again", [set, setAgain, saw(7, 8, "f", "a:2")], ends("f", "a:2")],
  ["a look while it is set again", [set, setAgain, saw(4, 9, "f", "a:1")], ends("f", "a:2")],
  ["one that is deleted", [set, deleted, saw(7, 8)], ends()],
  ["a look before it is there", [set, saw(1, 5)], ends("f", "a:1")],
  ["a write without an answer that comes late", [did(1, 2, `HSET ${W} f a:1`, undefined), setAgain], ends("f", "a:1")],
  ["one whose fate is not known", [set, did(5, 6, `HSET ${W} f a:2`, uncertain)], ends("f", "a:2")],
  ["an early acknowledgement that was lost", [set, did(5, 6, `HSET ${W} f a:2`, 0, "1")], ends("f", "a:1")],
  ["two fields at once", [set, pair, saw(6, 7, "f", "a:2", "g", "a:3")], ends("f", "a:2", "g", "a:3")],
  [
    "counts",
    [
      did(1, 2, "HINCRBY hc:{c} m 1", 1),
      did(3, 4, "HINCRBY hc:{c} m 1", 2),
      did(5, 6, "HGET hc:{c} m", "2"),
      did(1, 2, "HINCRBYFLOAT hf:{c} m 0.25", "0.25"),
    ],
    counts("2", "0.25"),
  ],
];

test.each(possible)("%s: can be", (_name, operations, final) => {
  checkHashes(operations, final);
});

const impossible: readonly (readonly [...Story, RegExp])[] = [
  ["a value from nowhere", [set], ends("f", "a:9"), /nobody wrote that/],
  ["a field from nowhere", [set], ends("f", "a:1", "g", "a:1"), /nobody wrote it/],
  ["a field that is there twice", [set], ends("f", "a:1", "f", "a:1"), /twice/],
  ["one that was refused", [did(1, 2, `HSET ${W} f a:1`, refused)], ends("f", "a:1"), /nobody wrote/],
  ["a look before the write", [did(5, 6, `HSET ${W} f a:1`, 1), saw(1, 2, "f", "a:1")], ends("f", "a:1"), /nobody/],
  ["a write that is lost", [set], ends(), /written since/],
  ["an old value at the end", [set, setAgain], ends("f", "a:1"), /written since/],
  ["an old value later", [set, setAgain, saw(7, 8, "f", "a:1")], ends("f", "a:2"), /written since/],
  ["a deletion that is undone", [set, deleted], ends("f", "a:1"), /written since/],
  ["a deletion that comes again", [did(1, 2, `HDEL ${W} f`, 0), setAgain], ends(), /written since/],
  [
    "seen and gone",
    [set, did(5, 6, `HSET ${W} f a:2`, undefined), saw(7, 8, "f", "a:2"), saw(9, 10, "f", "a:1")],
    ends("f", "a:2"),
    /written since/,
  ],
  [
    "a part of two fields",
    [set, pair, saw(6, 7, "f", "a:1", "g", "a:3")],
    ends("f", "a:2", "g", "a:3"),
    /written since/,
  ],
  [
    "two steps with one answer",
    [did(1, 2, "HINCRBY hc:{c} m 1", 1), did(3, 4, "HINCRBY hc:{c} m 1", 1)],
    counts("2", null),
    /counted to 1/,
  ],
  ["a step that is lost", [did(1, 2, "HINCRBYFLOAT hf:{c} m 0.25", "0.25")], counts(null, null), /acknowledged/],
];

test.each(impossible)("%s: cannot", (_name, operations, final, message) => {
  expect(() => checkHashes(operations, final)).toThrow(message);
});
