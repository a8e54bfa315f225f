/** What lanes, links and clients need of the gateway around them. */
import type { LaneOpen } from "@headrace/link";
import type { Request } from "@headrace/resp";
import type { GatewayLimits } from "./config.ts";
import type { RequestRun } from "./request-run.ts";
import type { Router } from "./router.ts";
import type { Statistics } from "./statistics.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface LaneCore {
  readonly limits: GatewayLimits;
  readonly router: Router;
  readonly statistics: Statistics;
  readonly subscriptions: Subscriptions;
  /** Monotonic time of the current event. */
  readonly nowMs: number;
  /** Whether a request may change state; unknown commands count as writes. */
  isWrite(request: Request): boolean;
  /** A node answered requests of the run with errors: those at `first` + each of these positions, ascending. */
  noteFailures(run: RequestRun, first: number, positions: readonly number[]): void;
  /** All of the run, no blocking call, was answered this long after it was asked. */
  noteAnswered(run: RequestRun, durationMs: number, laneId: number): void;
  /** `count` times the same error, as bytes. */
  errorReplies(text: string, count: number): Uint8Array;
  /** The null of a call whose time is over, in the client's protocol version. */
  nullReply(laneId: number): Uint8Array;
  /** A node's own port: a -MOVED for each request of the run when another node leads the shard; else null. */
  redirects(shardId: number, run: RequestRun): Uint8Array | null;
  /** Current protocol version, ack level and identity of a client; null when it is gone. */
  laneOpen(laneId: number): LaneOpen | null;
  /** Blocked calls go where the leader goes; on a node's own port they get Redis' errors. */
  readonly keepsBlocked: boolean;
  /** Something was written to a link or a client: flush at the end of the turn. */
  requestTurn(): void;
}
