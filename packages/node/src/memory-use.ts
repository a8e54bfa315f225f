/** What one replica holds in memory, by what it is for, and what of it can go: its part of the node's budget. It decides nothing. */
import type { ShardStateApi } from "@headrace/engine";
import type { MemoryUser } from "./memory-budget.ts";
import type { ShardMemory } from "./shard-api.ts";

export interface MemoryParts {
  state(): ShardStateApi;
  /** Nothing may be done with the state now: it is being replaced. */
  isReplacing(): boolean;
  readonly raftLog: { readonly memoryBytes: number };
  readonly held: { readonly bytes: number };
  readonly queue: { readonly bytes: number };
  readonly checkpointer: { readonly capturedBytes: number; readonly index: number };
  readonly executor: { readonly announcedBytes: number };
  readonly cold: { readonly heldBytes: number };
}

export class MemoryUse implements MemoryUser {
  /** Given up since the start. */
  evictedBytes = 0;
  readonly #parts: MemoryParts;

  constructor(parts: MemoryParts) {
    this.#parts = parts;
  }

  get memoryBytes(): number {
    const { raftLog, held, queue, checkpointer, executor, cold } = this.#parts;
    const { blockBytes, fixedBytes } = this.#parts.state().memory;
    const waiting = held.bytes + queue.bytes + checkpointer.capturedBytes + executor.announcedBytes + cold.heldBytes;
    return blockBytes + fixedBytes + raftLog.memoryBytes + waiting;
  }

  get fixedBytes(): number {
    return this.#parts.state().memory.fixedBytes;
  }

  get blockBytes(): number {
    return this.#parts.state().memory.blockBytes;
  }

  get packableBytes(): number {
    return this.#parts.state().memory.packableBytes;
  }

  /** Only what the store holds, synced, leaves memory. */
  evict(bytes: number): number {
    if (this.#parts.isReplacing()) return 0;
    const freedBytes = this.#parts.state().evict(bytes, this.#parts.checkpointer.index);
    this.evictedBytes += freedBytes;
    return freedBytes;
  }

  pack(bytes: number): number {
    return this.#parts.isReplacing() ? 0 : this.#parts.state().pack(bytes, this.#parts.checkpointer.index);
  }

  byKind(): ShardMemory {
    const { raftLog, held, queue, checkpointer, executor, cold } = this.#parts;
    const { blockBytes, fixedBytes } = this.#parts.state().memory;
    return {
      blocks: blockBytes,
      fixed: fixedBytes,
      log: raftLog.memoryBytes,
      replies: held.bytes,
      requests: queue.bytes,
      captures: checkpointer.capturedBytes,
      messages: executor.announcedBytes,
      coldReads: cold.heldBytes,
    };
  }
}
