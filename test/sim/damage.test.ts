/**
 * Bits that flip on one machine's disk while processes are killed and power is lost: what was damaged is found, never served (the run's checkers see to that), and
 * replaced, the whole log of a node as well as a single replica. Which seed comes to what changes with the program: the first that does counts.
 */
import { latin1 } from "@headrace/bytes";
import { simulate } from "@headrace/sim";
import { JudgedCluster } from "../../packages/sim/testing/judged-cluster.ts";
import { expect, test } from "vitest";

/** A log is thrown away only after all its replicas have been replaced, which takes a while. */
const STEPS = 60_000;
const SEEDS_MAX = 40;

/** The counts of the first run that has counted the event. */
function firstWith(event: string, cluster: { readonly scrubEveryMs?: number } = {}): ReadonlyMap<string, number> {
  for (let seed = 1; seed <= SEEDS_MAX; seed++) {
    const { counts } = simulate({ seed, steps: STEPS, cluster, choice: { kinds: ["bitFlip", "kill", "powerCut"] } });
    if ((counts.get(event) ?? 0) > 0) return counts;
  }
  throw new Error(`${SEEDS_MAX} runs without "${event}"`);
}

test("a damaged log is thrown away once everything in it has been replaced", { timeout: 300_000 }, () => {
  const counts = firstWith("log log_discarded");
  expect(counts.get("bit of the log flipped")).toBe(1);
  expect(counts.get("log damage_found")).toBeGreaterThan(0);
});

test("a damaged value costs its replica alone", { timeout: 300_000 }, () => {
  const counts = firstWith("log damaged_replica", { scrubEveryMs: 1000 });
  expect(counts.get("bit of the store flipped")).toBe(1);
  expect(counts.get("log log_discarded")).toBe(undefined);
});

/** A cluster of one shard at rest, with streams, groups and pending entries in the stores, whose nodes look through these every simulated second. */
function atRest(): JudgedCluster {
  const judged = new JudgedCluster(7, () => 1e12, { shards: 1, scrubEveryMs: 1000 });
  const client = judged.connect(0);
  const ask = (...words: readonly string[]): void => {
    const request = `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
    const reply = judged.ask(client, new TextEncoder().encode(request));
    expect(latin1(reply, 0, reply.length)).not.toMatch(/^-/);
  };
  for (let ms = 1; ms <= 40; ms++) ask("XADD", "s", `${ms}-0`, "f", "v".repeat(1100));
  ask("XGROUP", "CREATE", "s", "g", "0");
  ask("XREADGROUP", "GROUP", "g", "c", "COUNT", "3", "STREAMS", "s", ">");
  ask("XDEL", "s", "2-0");
  judged.runFor(1000);
  return judged;
}

test(
  "every row that rots is found by its node within a round, while nobody reads, and its replica is replaced",
  { timeout: 300_000 },
  () => {
    // The checkpoint row; header, marks, page, group, consumer, leaf; the entries of two blocks.
    const rows = atRest().cluster.machines[1]!.disk.rows.size;
    expect(rows).toBe(9);
    for (let n = 0; n < rows; n++) {
      const judged = atRest();
      const { cluster, loop } = judged;
      const { disk } = cluster.machines[1]!;
      const name = [...disk.rows.keys()].sort()[n]!;
      const value = disk.rows.get(name)!.slice();
      value[value.length >> 1]! ^= 1;
      disk.rows.set(name, value);
      disk.faults.flips++;
      judged.runFor(1100);
      expect(loop.counts.get("damage found by scrubbing")).toBe(1);
      const replicas = (): readonly number[] => [...cluster.replicas()].map(({ shard }) => shard.replicaId);
      const before = replicas();
      expect(before).toHaveLength(3);
      judged.runUntil(() => cluster.isWhole && replicas()[1] !== before[1], "another replica");
      expect(replicas().filter((id) => before.includes(id))).toHaveLength(2);
      // None has failed, and the new one's rows are whole.
      const found = loop.counts.get("damage found by scrubbing");
      judged.runFor(2500);
      expect(loop.counts.get("log replica_failed")).toBe(undefined);
      expect(loop.counts.get("damage found by scrubbing")).toBe(found);
    }
  },
);
