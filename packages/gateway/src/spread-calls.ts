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
  readonly #calls: Map<ClientConnection, Set<SpreadCall>> = new Map();

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
    const ofClient = this.#calls.get(client);
    if (ofClient === undefined) this.#calls.set(client, new Set([call]));
    else ofClient.add(call);
    call.start();
    return null;
  }

  ended(call: SpreadCall): void {
    const ofClient = this.#calls.get(call.client);
    if (ofClient === undefined) return;
    ofClient.delete(call);
    if (ofClient.size === 0) this.#calls.delete(call.client);
  }

  /** CLIENT UNBLOCK. False: the client waits for none of these. */
  unblock(client: ClientConnection, withError: boolean): boolean {
    for (const call of this.#calls.get(client) ?? []) if (call.unblock(withError)) return true;
    return false;
  }

  clientGone(client: ClientConnection): void {
    for (const call of this.#calls.get(client) ?? []) call.abandon();
    this.#calls.delete(client);
  }
}
