/**
 * Keeps a follower's log from growing without bound while its checkpoints make no progress (I17): everything behind the checkpoint stays in memory,
 * so at the bound appends of the leader are not taken in any more. To Raft they are lost messages: the leader repeats them, and goes on without this
 * replica as long as it has a majority. The commit index still arrives with heartbeats, so that a checkpoint may become possible.
 */
import type { Logger } from "@headrace/ports";
import { MessageType } from "@headrace/raft-ts";
import type { Message } from "@headrace/raft-ts";

export class AppendIntake {
  readonly #groupId: number;
  readonly #boundBytes: () => number;
  readonly #logger: Logger;
  #isPaused: boolean;
  #refusedAppends: number;

  constructor(groupId: number, boundBytes: () => number, logger: Logger) {
    this.#groupId = groupId;
    this.#boundBytes = boundBytes;
    this.#logger = logger;
    this.#isPaused = false;
    this.#refusedAppends = 0;
  }

  get isPaused(): boolean {
    return this.#isPaused;
  }

  get refusedAppends(): number {
    return this.#refusedAppends;
  }

  /** Whether the message may be stepped while the log has so many bytes in memory. Asked again for every message. */
  takes(message: Message, memoryBytes: number, checkpointIndex: number): boolean {
    const isFull = memoryBytes >= this.#boundBytes();
    if (this.#isPaused && !isFull) {
      this.#isPaused = false;
      this.#logger.info("appends_resumed", { group: this.#groupId, checkpoint: checkpointIndex });
    }
    if (!isFull || message.type !== MessageType.App || message.entries.length === 0) return true;
    if (!this.#isPaused) {
      this.#isPaused = true;
      this.#logger.warn("appends_paused", { group: this.#groupId, logBytes: memoryBytes, checkpoint: checkpointIndex });
    }
    this.#refusedAppends++;
    return false;
  }
}
