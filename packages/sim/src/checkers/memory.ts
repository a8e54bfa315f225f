/**
 * What nodes hold against what they may hold (`--memory`), looked at after every turn. That their accounts are those of the bytes that are there is the business of
 * `verify`, which looks at all of them (checkers/replicas.ts).
 */
import type { Machine } from "../simulated-cluster.ts";

export class MemoryChecker {
  /** The most that any node held. */
  highestBytes = 0;
  highestOn = "";
  looks = 0;
  readonly #budgetBytes: number;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** After a step in which this machine's process did something. */
  check({ name, node }: Machine): void {
    const member = node === null ? null : node.member;
    if (member === null || member === undefined) return;
    const { usedBytes } = member.memory;
    this.looks++;
    if (usedBytes <= this.highestBytes) return;
    this.highestBytes = usedBytes;
    this.highestOn = name;
    if (usedBytes > this.#budgetBytes) {
      const { fixedBytes, blockBytes, otherBytes } = member.memory;
      const parts = JSON.stringify({ fixedBytes, blockBytes, otherBytes });
      throw new Error(`${name} holds ${Math.ceil(usedBytes)} bytes of a budget of ${this.#budgetBytes}: ${parts}`);
    }
  }
}
