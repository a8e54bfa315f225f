/**
 * Whatever nodes do to requests (answer, refuse, lose, die, hand over), a client gets one reply per request, in order, and no write is
 * executed twice or out of order. The nodes here keep the protocol's own rules and are otherwise driven by chance.
 */
import { RefuseReason } from "@headrace/link";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Asked, FakeNode } from "../testing/fake-node.ts";
import { TestCluster, respOf } from "../testing/test-cluster.ts";

/** A frame at a node, with what is still open of it. */
interface Open {
  readonly asked: Asked;
  done: number;
}

class ChanceNode {
  readonly node: FakeNode;
  readonly executed: string[];
  /** By lane and shard, in number order. */
  readonly queues: Map<string, Open[]> = new Map();
  /** Refused epoch by lane and shard. */
  readonly refused: Map<string, number> = new Map();
  isCalm: boolean = false;

  constructor(node: FakeNode, executed: string[]) {
    this.node = node;
    this.executed = executed;
    node.onAsked = (asked) => this.#take(asked);
  }

  #take(asked: Asked): void {
    const name = `${asked.lane}/${asked.shard}`;
    if (this.refused.get(name) === asked.epoch) {
      this.node.refuse(asked, asked.first, RefuseReason.staleEpoch);
      return;
    }
    const queue = this.queues.get(name) ?? [];
    this.queues.set(name, queue);
    const last = queue.at(-1);
    if (last !== undefined && last.asked.epoch === asked.epoch) {
      expect(asked.first).toBe(last.asked.first + last.asked.count);
    } else {
      // A new epoch begins only when everything of the old one has its fate.
      expect(queue).toEqual([]);
    }
    queue.push({ asked, done: 0 });
    if (this.isCalm) this.step("reply", 1000);
  }

  step(what: "reply" | "lose" | "refuse", amount: number): void {
    for (const [name, queue] of this.queues) {
      const first = queue[0];
      if (first === undefined) continue;
      const { asked } = first;
      if (what === "refuse") {
        const from = queue.at(amount % queue.length)!;
        const number = from.asked.first + Math.max(from.done, amount % from.asked.count);
        this.node.refuse(from.asked, number, RefuseReason.notReady);
        this.refused.set(name, asked.epoch);
        this.#cut(name, number);
        continue;
      }
      const count = Math.min(asked.count - first.done, 1 + (amount % 3));
      const number = asked.first + first.done;
      if (what === "reply") {
        const words = asked.commands.slice(first.done, first.done + count).map((one) => one.join(" "));
        this.executed.push(...words);
        this.node.reply(asked, number, count, words.map((one) => `+${one}\r\n`).join(""), 1, number);
      } else {
        this.node.lost(asked, number, count);
      }
      first.done += count;
      if (first.done === asked.count) queue.shift();
    }
  }

  calm(): void {
    this.isCalm = true;
    for (let i = 0; i < 100; i++) this.step("reply", 1000);
  }

  /** Everything from the number on was refused. */
  #cut(name: string, number: number): void {
    const kept: Open[] = [];
    for (const open of this.queues.get(name)!) {
      const { asked } = open;
      if (asked.first >= number) continue;
      const count = Math.min(asked.count, number - asked.first);
      if (open.done < count)
        kept.push({ asked: { ...asked, count, commands: asked.commands.slice(0, count) }, done: open.done });
    }
    this.queues.set(name, kept);
  }
}

const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("send" as const),
      shards: fc.array(fc.integer({ min: 1, max: 2 }), { minLength: 1, maxLength: 6 }),
      writes: fc.integer({ min: 0, max: 63 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constantFrom("reply" as const, "reply" as const, "lose" as const, "refuse" as const),
      node: fc.integer({ min: 0, max: 1 }),
      amount: fc.integer({ min: 0, max: 20 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constantFrom("leader" as const, "kill" as const),
      node: fc.integer({ min: 0, max: 1 }),
      shard: fc.integer({ min: 1, max: 2 }),
    }),
  },
);

test("one reply per request, in order; no write twice, none out of order", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const cluster = new TestCluster({ limits: { holdMs: 1e9, replyTimeoutMs: 1e9 } });
      const executed: string[] = [];
      const nodes = cluster.nodes.map((node) => new ChanceNode(node, executed));
      const client = cluster.client();
      const keys = [cluster.keyOf(1), cluster.keyOf(2)];
      const sent: string[] = [];
      let term = 1;
      for (const one of steps) {
        if (one.kind === "send") {
          const words = one.shards.map((shard, i) => [
            (one.writes >> i) & 1 ? "XDEL" : "XRANGE",
            keys[shard - 1]!,
            `${sent.length + i}-0`,
            "+",
          ]);
          sent.push(...words.map((each) => each.join(" ")));
          client.sendRaw(words.map(respOf).join(""));
        } else if (one.kind === "leader") {
          for (const { node } of nodes) node.leader(one.shard, one.node + 1, term + 1);
          term++;
        } else if (one.kind === "kill") {
          nodes[one.node]!.node.kill();
          nodes[one.node]!.queues.clear();
          nodes[one.node]!.refused.clear();
          nodes[one.node]!.node.start();
        } else if ("amount" in one) {
          nodes[one.node]!.step(one.kind, one.amount);
        }
        cluster.world.run(one.kind === "kill" ? 50 : 5);
      }
      for (let i = 0; i < 5; i++) {
        for (const node of nodes) node.calm();
        cluster.world.run(5_000);
      }
      const replies = client.received.split("\r\n").slice(0, -1);
      expect(replies).toHaveLength(sent.length);
      for (const [i, reply] of replies.entries()) {
        if (reply.startsWith("-")) expect([reply.split(" ")[0], sent[i]!.slice(0, 4)]).toEqual(["-UNCERTAIN", "XDEL"]);
        else expect(reply).toBe(`+${sent[i]}`);
      }
      for (const key of keys) {
        const writes = executed.filter((words) => words.startsWith(`XDEL ${key} `));
        expect(writes).toEqual(sent.filter((words) => writes.includes(words)));
      }
    }),
    { numRuns: 400 },
  );
}, 60_000);
