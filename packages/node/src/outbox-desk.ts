/** A shard's two sides of handing things on exactly once (engine/outbox.ts), as the executor and the node see them. */
import type { ShardStateApi } from "@headrace/engine";
import { Role } from "@headrace/raft-ts";
import type { Request } from "@headrace/resp";
import type { BlockedCalls } from "./blocked-calls.ts";
import type { OpenBatch } from "./open-batch.ts";
import { addressBack, notHereFrame, type OutboxFrame } from "./outbox-codec.ts";
import { OutboxIntake } from "./outbox-intake.ts";
import { type OutboxOptions, OutboxRelay } from "./outbox-relay.ts";

export interface OutboxDeskOptions extends OutboxOptions {
  readonly leaderNodeId: () => number;
  /** Asks for a turn. */
  readonly wake: () => void;
}

export class OutboxDesk {
  readonly relay: OutboxRelay;
  readonly intake: OutboxIntake;
  readonly #options: OutboxDeskOptions;

  constructor(options: OutboxDeskOptions, batch: OpenBatch, calls: BlockedCalls, state: ShardStateApi) {
    this.relay = new OutboxRelay(options, batch, calls, state);
    this.intake = new OutboxIntake(options, batch, calls, state);
    this.#options = options;
  }

  /** From another node, or from another shard of this one. */
  receive(frame: OutboxFrame, fromNodeId: number): void {
    const { raft, post, leaderNodeId, wake } = this.#options;
    const isLeader = raft.role === Role.leader;
    if (frame.kind !== "items") {
      if (isLeader) this.relay.receive(frame);
    } else if (isLeader) {
      this.intake.receive(frame, fromNodeId);
    } else {
      post.send(fromNodeId, notHereFrame(addressBack(frame), leaderNodeId()));
    }
    if (isLeader) wake();
  }

  /** The leader's turn. Answers whether there is more to do than one turn takes. */
  run(request: Request): boolean {
    const isMore = this.intake.run(request);
    return this.relay.run(request) || isMore;
  }

  committed(index: number): void {
    this.intake.committed(index);
  }

  rest(): void {
    this.relay.rest();
    this.intake.rest();
  }

  replaceState(state: ShardStateApi): void {
    this.relay.replaceState(state);
    this.intake.replaceState(state);
  }
}
