/** Our side: one node and one gateway of the product on simulated ports, with the very wall clock that the judge has. */
import { JudgedCluster } from "../../packages/sim/testing/judged-cluster.ts";
import type { JudgedClient } from "../../packages/sim/testing/judged-cluster.ts";

/** Simulated time in which a call that may block is answered, or blocks. */
const SETTLE_MS = 8;
/** More than it ever takes until a read is parked or answered: a disk may be slow now and then. */
const PARKED_WITHIN_MS = 1000;

export class OurSide {
  nowMs: number;
  readonly #judged: JudgedCluster;

  constructor(nowMs: number) {
    this.nowMs = nowMs;
    this.#judged = new JudgedCluster(1, () => this.nowMs, { nodes: 1, gateways: 1, shards: 1 });
  }

  open(): JudgedClient {
    return this.#judged.connect(0);
  }

  /** Replies to so many requests, sent in one piece. */
  exchange(client: JudgedClient, bytes: Uint8Array, count: number): Uint8Array[] {
    client.send(bytes);
    this.#judged.runUntil(() => client.replies.length >= count || client.isClosed, `${count} replies`);
    return client.replies.splice(0, count);
  }

  /** Time for whatever is under way to be finished; timers of blocked calls do not come due in it. */
  settle(): void {
    this.#judged.runFor(SETTLE_MS);
  }

  /** A call of its own that may block: until it has a reply, or waits. */
  sendCall(client: JudgedClient, bytes: Uint8Array, isRead: boolean): void {
    const before = this.#judged.blockedCalls;
    client.send(bytes);
    const isDecided = (): boolean =>
      client.replies.length > 0 || client.isClosed || this.#judged.blockedCalls !== before;
    // Shards know of reads that wait; WAIT is the gateway's own.
    if (isRead) this.#judged.runFor(PARKED_WITHIN_MS, isDecided);
    this.settle();
  }

  /** Wall clock and timers go on. */
  advance(ms: number): void {
    this.nowMs += ms;
    this.#judged.runFor(ms);
  }

  /** The wall clock alone. */
  setClock(nowMs: number): void {
    this.nowMs = nowMs;
  }
}
