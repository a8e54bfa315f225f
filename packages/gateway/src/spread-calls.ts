/** The reads over several shards that are going on, by client: a client has one at a time that holds up its later requests. */
import { copyOf } from "@headrace/bytes";
import type { Scheduler } from "@headrace/ports";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { LaneCore } from "./lane-core.ts";
import { ReadPlan } from "./read-plan.ts";
import type { SpreadCall, SpreadHost } from "./spread-call.ts";
import { SpreadGroupRead } from "./spread-group-read.ts";
import { SpreadRead } from "./spread-read.ts";

export class SpreadCalls implements SpreadHost {
  readonly core: LaneCore;
  readonly scheduler: Scheduler;
  readonly #calls: Set<SpreadCall> = new Set();

  constructor(core: LaneCore, scheduler: Scheduler) {
    this.core = core;
    this.scheduler = scheduler;
  }

  /** Answers with an error text when the request can be refused without asking anybody. */
  begin(client: ClientConnection, request: Request, isGroup: boolean, shardIds: readonly number[]): string | null {
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const plan = new ReadPlan(bytes, isGroup, shardIds);
    if (plan.error !== null) return plan.error;
    const call = isGroup ? new SpreadGroupRead(this, client, plan) : new SpreadRead(this, client, plan);
    this.#calls.add(call);
    call.start();
    return null;
  }

  ended(call: SpreadCall): void {
    this.#calls.delete(call);
  }

  /** CLIENT UNBLOCK. False: the client waits for none of these. */
  unblock(client: ClientConnection, withError: boolean): boolean {
    for (const call of this.#calls) if (call.client === client && call.unblock(withError)) return true;
    return false;
  }

  clientGone(client: ClientConnection): void {
    for (const call of Array.from(this.#calls)) {
      if (call.client !== client) continue;
      call.abandon();
      this.#calls.delete(call);
    }
  }
}
