/**
 * What nodes hold against what they may hold (`--memory`), looked at after every turn. That their accounts are those of the bytes that are there is the business of
 * `verify`, which looks at all of them (checkers/replicas.ts).
 */
import type { Machine } from "../simulated-cluster.ts";

export class MemoryChecker {
  /** The most that any node held. */
  highestBytes = 0;
  /** Where that was, when, and what it was made of. */
  highest = "";
  /** The first time that one held more than it may; null: never. The run goes on, since what becomes of its entries is another matter. */
  excess: string | null = null;
  readonly #budgetBytes: number;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** After a step in which this machine's process did something. */
  check({ name, node }: Machine, nowMs: number): void {
    const member = node === null ? null : node.member;
    if (member === null || member === undefined) return;
    const { usedBytes } = member.memory;
    if (usedBytes <= this.highestBytes) return;
    this.highestBytes = usedBytes;
    const { fixedBytes, blockBytes, otherBytes } = member.memory;
    const shards = [...member.shards()].map((shard) => shard.status().memory);
    const parts = JSON.stringify({ fixedBytes, blockBytes, otherBytes: Math.ceil(otherBytes), shards });
    this.highest = `${name} held ${Math.ceil(usedBytes)} bytes at ${Math.ceil(nowMs)} ms: ${parts}`;
    if (usedBytes > this.#budgetBytes) this.excess ??= `of a budget of ${this.#budgetBytes} ${this.highest}`;
  }
}
