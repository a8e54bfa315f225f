/**
 * MULTI … EXEC and WATCH where a client is connected: queueing with Redis' checks, and one request to the one shard that all keys lie in. What the
 * connection has queued and watches is its session's (commands' transaction/transaction.ts); the flags of WATCH are at the shard's leader, which hears
 * of WATCH and UNWATCH in the order of the connection's requests.
 */
import { asciiBytes, ByteWriter, copyOf } from "@headrace/bytes";
import { Errors, execAbortedBy, Flag, NO_SLOT, slotOfKeys, writeShardExec } from "@headrace/commands";
import type { TakenTransaction } from "@headrace/commands";
import { RequestMode } from "@headrace/link";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import { Path } from "./command-entry.ts";
import type { CommandEntries, CommandEntry } from "./command-entry.ts";
import { GatewayErrors } from "./errors.ts";
import { ExecReply } from "./exec-reply.ts";
import type { ExecHost } from "./exec-reply.ts";
import type { LaneCore } from "./lane-core.ts";
import type { PartSink } from "./request-run.ts";

const QUEUED = asciiBytes("+QUEUED\r\n");
const UNWATCH = asciiBytes("*1\r\n$7\r\nUNWATCH\r\n");

/** Nobody waits for the answer. */
const NOBODY: PartSink = { onPart: () => undefined };

/** What transactions need of the dispatcher. */
export interface TransactionHost extends ExecHost {
  readonly entries: CommandEntries;
  error(client: ClientConnection, text: string): void;
  /** A node's own port: the error for a shard that another node leads. */
  redirect(slot: number, shardId: number): string | null;
  /** Shards that commands over the whole keyspace go to. */
  localShardIds(): number[];
}

export class Transactions {
  readonly #core: LaneCore;
  readonly #host: TransactionHost;
  /** policy moved: this node; 0: proxy. */
  readonly #localNodeId: number;

  constructor(core: LaneCore, host: TransactionHost, localNodeId: number) {
    this.#core = core;
    this.#host = host;
    this.#localNodeId = localNodeId;
  }

  /** A request inside MULTI. True: it is queued or refused; false: it is one of those that act at once. */
  takes(client: ClientConnection, entry: CommandEntry, request: Request): boolean {
    if (entry.path === Path.watch) {
      this.#host.error(client, Errors.watchInsideMulti);
      return true;
    }
    if (!entry.isQueued) return false;
    const { transaction } = client.session;
    const slot = hasKeys(entry) ? slotOfKeys(entry.record, request) : NO_SLOT;
    const refused = this.#refusal(client, entry, request, slot);
    if (refused !== null) {
      transaction.spoil();
      this.#host.error(client, refused);
      return true;
    }
    transaction.queue(entry.record, copyOf(request.bytes, request.rawStart, request.rawEnd), slot);
    client.answer(QUEUED, 0, QUEUED.length);
    return true;
  }

  #refusal(client: ClientConnection, entry: CommandEntry, request: Request, slot: number): string | null {
    const { transaction } = client.session;
    // A reply that is left out inside EXEC's would leave an array that never ends.
    if ((entry.record.flags & Flag.noMulti) !== 0 || entry.setsReplyMode) return Errors.notInsideMulti;
    if (!transaction.fitsBytes(request.rawEnd - request.rawStart, this.#core.limits.transactionBytes)) {
      return Errors.transactionTooLarge;
    }
    if (isKeyspaceWide(entry)) return this.#host.localShardIds().length > 1 ? GatewayErrors.crossSlot : null;
    if (!transaction.fitsSlot(slot)) return GatewayErrors.crossSlot;
    return slot < 0 ? null : this.#redirect(slot);
  }

  #redirect(slot: number): string | null {
    const { placement } = this.#core.router;
    if (this.#localNodeId === 0 || placement === null) return null;
    return this.#host.redirect(slot, placement.shardOf(slot));
  }

  /** WATCH outside MULTI; the placement is known. */
  watch(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const { transaction } = client.session;
    const slot = slotOfKeys(entry.record, request);
    if (!transaction.fitsSlot(slot)) {
      this.#host.error(client, GatewayErrors.crossSlot);
      return;
    }
    const redirect = this.#redirect(slot);
    const fits = transaction.fitsBytes(request.rawEnd - request.rawStart, this.#core.limits.transactionBytes);
    if (redirect !== null || !fits) {
      this.#host.error(client, redirect ?? Errors.transactionTooLarge);
      return;
    }
    transaction.watch(keysOf(request), slot);
    client.toShard(this.#core.router.placement!.shardOf(slot), request, entry.index);
  }

  /**
   * A WATCH that no shard will hear of. It counts all the same: an EXEC that its client has sent behind it finds more calls than the leader knows of and
   * is aborted, as where the shard itself could not be reached.
   */
  missedWatch(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const slot = slotOfKeys(entry.record, request);
    if (client.session.transaction.fitsSlot(slot)) client.session.transaction.watch(keysOf(request), slot);
  }

  /** The session has forgotten what it watched, in this slot: its leader is told. */
  unwatchAt(client: ClientConnection, slot: number): void {
    const { placement } = this.#core.router;
    if (placement === null || client.isGone) return;
    client.closeRun();
    client.partToShard(placement.shardOf(slot), UNWATCH, NOBODY, 0);
  }

  /** EXEC; the placement is known. */
  exec(client: ClientConnection, entry: CommandEntry): void {
    const { transaction } = client.session;
    const { watchSlot } = transaction;
    const refused = transaction.refusal();
    if (refused !== null && !transaction.isOpen) {
      this.#host.error(client, refused);
      return;
    }
    const taken = transaction.take();
    const shardIds = this.#host.localShardIds();
    const error = refused ?? this.#execRefusal(taken, shardIds);
    if (error !== null) {
      this.#host.error(client, error);
      if (watchSlot >= 0) this.unwatchAt(client, watchSlot);
      return;
    }
    const { queued, watchCalls, slot } = taken;
    const { router } = this.#core;
    for (const each of queued) this.#host.noteCall(client, each);
    const replySlot = client.reserve();
    const reply = new ExecReply(client, replySlot, this.#host, queued);
    if (reply.hasOwn) client.barrier = true;
    const run = (): void => {
      if (watchCalls === 0 && queued.every(({ record }) => record.execute === null)) {
        reply.proceed();
        return;
      }
      // Parts without keys run anywhere: what is wrong with them is for the handler to say.
      const shardId = slot >= 0 ? router.placement!.shardOf(slot) : (shardIds[0] ?? router.shardIds()[0]!);
      const writer = new ByteWriter(1024);
      writeShardExec(writer, taken);
      client.partToShard(shardId, writer.take(0), reply, 0, RequestMode.whole, false, entry.index);
    };
    const waits = queued.some(({ record }) => this.#host.entries.of(record).waitsForEarlier);
    if (waits && client.replies.outstanding > 1) replySlot.onFirst = run;
    else run();
  }

  /** Placement and leaders may have changed since the commands were queued. */
  #execRefusal({ queued, slot }: TakenTransaction, shardIds: readonly number[]): string | null {
    const isWide = queued.some(({ record }) => isKeyspaceWide(this.#host.entries.of(record)));
    if (isWide && shardIds.length > 1) return execAbortedBy(GatewayErrors.crossSlot);
    return slot < 0 ? null : this.#redirect(slot);
  }
}

function keysOf(request: Request): string[] {
  const keys: string[] = [];
  for (let i = 1; i < request.count; i++) keys.push(request.latin1(i));
  return keys;
}

function hasKeys({ path }: CommandEntry): boolean {
  return path === Path.oneKey || path === Path.keys || path === Path.fanOutKeys || path === Path.streams;
}

function isKeyspaceWide({ path }: CommandEntry): boolean {
  return path === Path.allShards || path === Path.scan || path === Path.anyShard;
}
