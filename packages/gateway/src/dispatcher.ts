/**
 * What happens with one request: answered here, sent to the one shard that its keys name, spread over shards, or refused. The hot path is the
 * first branch: one key, one shard, one run.
 */
import { assert, ByteWriter, copyOf, slotOf } from "@headrace/bytes";
import {
  Errors,
  ReplyMode,
  arityFits,
  commandTable,
  exec,
  execAbortedBy,
  findCommand,
  findKeys,
} from "@headrace/commands";
import { ShardExec, isShardExec, notWhileSubscribed, readCursor, refusal } from "@headrace/commands";
import type { CommandRecord, QueuedCommand } from "@headrace/commands";
import { RequestMode, WaitKind } from "@headrace/link";
import type { Random } from "@headrace/ports";
import { ReplyWriter } from "@headrace/resp";
import type { ReplyWriterApi, Request } from "@headrace/resp";
import { BlockArgument } from "./block-argument.ts";
import type { ClientConnection } from "./client-connection.ts";
import { CommandEntries, Path } from "./command-entry.ts";
import type { CommandEntry } from "./command-entry.ts";
import { GatewayErrors } from "./errors.ts";
import { DrawnShard } from "./drawn-shard.ts";
import { Gather } from "./fan-out.ts";
import type { Merge } from "./fan-out.ts";
import type { Pause } from "./pause.ts";
import type { PartSink } from "./request-run.ts";
import { ScanPart, cursorBehind, slotOfCursor } from "./scan-cursor.ts";
import { SessionAnswers } from "./session-answers.ts";
import type { SessionAnswersRooms } from "./session-answers.ts";
import type { SpreadCalls } from "./spread-calls.ts";
import { Transactions } from "./transactions.ts";
import type { TransactionHost } from "./transactions.ts";
import type { Waits } from "./waits.ts";

export interface DispatcherRooms extends SessionAnswersRooms {
  readonly waits: Waits;
  readonly spread: SpreadCalls;
  readonly pause: Pause;
  readonly random: Random;
  /** policy moved: this node; 0: proxy. */
  readonly localNodeId: number;
  /** Channels are the whole cluster's: a node's own port too needs links to all nodes, from the first call on. */
  reachAllNodes(): void;
}

/** A request that came before the placement was known; its client's later ones wait behind it. */
interface Unrouted {
  readonly client: ClientConnection;
  readonly entry: CommandEntry;
  readonly bytes: Uint8Array;
  readonly untilMs: number;
  readonly isSilent: boolean;
}

export class Dispatcher implements TransactionHost {
  readonly entries: CommandEntries;
  readonly #rooms: DispatcherRooms;
  readonly #transactions: Transactions;
  readonly #answers: SessionAnswers;
  readonly #scratch: ReplyWriter = new ReplyWriter(new ByteWriter(4096), 2);
  readonly #positions: number[] = [];
  #unrouted: Unrouted[] = [];

  constructor(entries: CommandEntries, rooms: DispatcherRooms) {
    this.entries = entries;
    this.#rooms = rooms;
    this.#transactions = new Transactions(rooms.core, this, rooms.localNodeId);
    this.#answers = new SessionAnswers(rooms, {
      localShardIds: () => this.localShardIds(),
      unwatchAt: (client, slot) => this.#transactions.unwatchAt(client, slot),
      noteReply: (record, bytes, start, end) => this.noteReply(record, bytes, start, end),
      replyBytes: (write, version) => this.replyBytes(write, version),
      withRequest: (bytes, use) => this.withRequest(bytes, use),
    });
  }

  dispatch(client: ClientConnection, request: Request): void {
    const { pause } = this.#rooms;
    const record = findCommand(request);
    if (pause.isOn && record !== null && arityFits(record, request.count) && pause.holds(record, client)) {
      pause.hold(client, request);
      return;
    }
    if (client.session.replyMode === ReplyMode.skipNext) this.#dispatchSilently(client, record, request);
    else this.#dispatchFound(client, record, request);
  }

  /** CLIENT REPLY SKIP came before. */
  #dispatchSilently(client: ClientConnection, record: CommandRecord | null, request: Request): void {
    const { session, replies } = client;
    client.closeRun();
    session.replyMode = ReplyMode.on;
    replies.isSilent = true;
    this.#dispatchFound(client, record, request);
    client.closeRun();
    // The request may have been another CLIENT REPLY.
    replies.isSilent = (session.replyMode as ReplyMode) === ReplyMode.off;
  }

  #dispatchFound(client: ClientConnection, record: CommandRecord | null, request: Request): void {
    const { core } = this.#rooms;
    const { session } = client;
    const { transaction } = session;
    core.statistics.totalCommands++;
    // Of what is refused or queued too: CLIENT LIST shows what was asked last.
    session.lastCommand = record === null ? "NULL" : record.name;
    if (record === null || !arityFits(record, request.count)) {
      this.#refuse(client, request, record);
      return;
    }
    const entry = this.entries.of(record);
    if (session.subscriptions.total > 0 && session.respVersion === 2 && !entry.whileSubscribed) {
      core.statistics.rejected[entry.index]!++;
      this.error(client, notWhileSubscribed(record.name));
      return;
    }
    if (session.hearsPressure && record.name === "xadd") session.written.wrote(request.latin1(1));
    if (transaction.isOpen && this.#transactions.takes(client, entry, request)) return;
    core.statistics.calls[entry.index]!++;
    session.commandCount++;
    if (this.#rooms.monitors.isAny) this.#rooms.monitors.show(record, request, client);
    const placement = core.router.placement;
    if (entry.path === Path.oneKey && placement !== null && this.#rooms.localNodeId === 0) {
      const key = entry.keyPosition;
      client.toShard(
        placement.shardOf(slotOf(request.bytes, request.start(key), request.end(key))),
        request,
        entry.index,
      );
      return;
    }
    if (entry.path === Path.session && (placement !== null || !entry.tellsPlacement)) {
      this.#answerHere(client, entry, request);
    } else if (placement === null) this.#holdUnrouted(client, entry, request);
    else this.#route(client, entry, request);
  }

  /** Unknown, or with a wrong number of arguments. */
  #refuse(client: ClientConnection, request: Request, record: CommandRecord | null): void {
    if (record !== null) this.#rooms.core.statistics.rejected[this.entries.of(record).index]!++;
    const text = refusal(request, record) ?? Errors.syntax;
    const { transaction } = client.session;
    transaction.spoil();
    if (record !== exec) {
      this.error(client, text);
      return;
    }
    const { watchSlot } = transaction;
    transaction.close();
    this.error(client, execAbortedBy(text));
    if (watchSlot >= 0) this.#transactions.unwatchAt(client, watchSlot);
  }

  #holdUnrouted(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    client.closeRun();
    client.barrier = true;
    const { nowMs, limits } = this.#rooms.core;
    this.#unrouted.push({ client, entry, bytes, untilMs: nowMs + limits.holdMs, isSilent: client.replies.isSilent });
  }

  /** The placement is known, or time has passed: requests that waited for it go on or are refused. */
  sweep(nowMs: number): void {
    if (this.#unrouted.length === 0) return;
    const isKnown = this.#rooms.core.router.placement !== null;
    const waiting = this.#unrouted;
    this.#unrouted = [];
    for (const held of waiting) {
      const { client, entry, bytes } = held;
      if (client.isGone) continue;
      if (!isKnown && nowMs < held.untilMs) {
        this.#unrouted.push(held);
        continue;
      }
      client.barrier = false;
      const { isSilent } = client.replies;
      client.replies.isSilent = held.isSilent;
      if (entry.path === Path.session) {
        this.withRequest(bytes, (request) => this.#answerHere(client, entry, request));
      } else if (isKnown) {
        this.withRequest(bytes, (request) => this.#route(client, entry, request));
      } else {
        if (entry.path === Path.exec) client.session.transaction.close();
        else if (entry.path === Path.watch)
          this.withRequest(bytes, (request) => this.#transactions.missedWatch(client, entry, request));
        this.error(client, GatewayErrors.noPlacement);
      }
      client.closeRun();
      client.replies.isSilent = isSilent;
      client.wake();
    }
  }

  /** An error reply from the gateway itself. */
  error(client: ClientConnection, text: string): void {
    this.#answerWith(client, (reply) => reply.error(text));
  }

  #answerWith(client: ClientConnection, write: (reply: ReplyWriterApi) => void): void {
    const reply = this.#scratch;
    reply.writer.clear();
    reply.version = client.session.respVersion;
    write(reply);
    this.#rooms.core.statistics.countErrors(reply.writer.bytes, 0, reply.writer.length, 1);
    client.answer(reply.writer.bytes, 0, reply.writer.length);
  }

  #route(client: ClientConnection, entry: CommandEntry, request: Request): void {
    if (entry.path === Path.exec) this.#transactions.exec(client, entry);
    else if (entry.path === Path.watch) this.#transactions.watch(client, entry, request);
    else if (entry.path === Path.wait) this.#wait(client, entry, request, null);
    else if (entry.path === Path.allShards) this.#toAllShards(client, entry, request);
    else if (entry.path === Path.scan) this.#scan(client, entry, request);
    else if (entry.path === Path.channel) this.#byChannel(client, entry, request);
    else if (entry.path === Path.anyShard) this.#toAnyShard(client, request);
    else this.#byKeys(client, entry, request);
  }

  // ── keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #byKeys(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const positions = this.#positions;
    const { localNodeId, core } = this.#rooms;
    const found = findKeys(entry.record, request, positions);
    if (found <= 0) {
      // The syntax is wrong in a way that the handler puts into words; any shard can.
      client.toShard(this.localShardIds()[0] ?? core.router.shardIds()[0]!, request, entry.index);
      return;
    }
    const placement = core.router.placement!;
    const slot = this.#slotAt(request, positions[0]!);
    const shardId = placement.shardOf(slot);
    let oneSlot = true;
    let oneShard = true;
    for (let i = 1; i < found; i++) {
      const other = this.#slotAt(request, positions[i]!);
      if (other !== slot) oneSlot = false;
      if (placement.shardOf(other) !== shardId) oneShard = false;
    }
    if (localNodeId !== 0) {
      const redirect = oneSlot ? this.redirect(slot, shardId) : GatewayErrors.crossSlot;
      if (redirect !== null) {
        this.error(client, redirect);
        return;
      }
    }
    if (!oneShard) {
      if (entry.path === Path.fanOutKeys) this.#spreadKeys(client, entry, request, positions.slice(0, found));
      else if (entry.path === Path.streams) this.#spreadStreams(client, entry, request, positions.slice(0, found));
      else this.error(client, GatewayErrors.crossSlot);
      return;
    }
    const timeoutMs = entry.mayBlock ? BlockArgument.timeoutMs(entry.record, request) : null;
    if (timeoutMs === null) {
      client.toShard(shardId, request, entry.index);
      return;
    }
    const deadlineMs = timeoutMs > 0 ? core.nowMs + timeoutMs : Infinity;
    client.toShardBlocking(shardId, request, deadlineMs, entry.index);
  }

  /** PUBLISH: to the leader of the shard that owns the channel's slot, so that messages to one channel keep their order. PUBSUB: to any. */
  #byChannel(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const { core, localNodeId } = this.#rooms;
    const isNamed = entry.record.fanOut !== null;
    const shardId = isNamed ? core.router.placement!.shardOf(this.#slotAt(request, 1)) : core.router.shardIds()[0]!;
    if (localNodeId === 0) {
      client.toShard(shardId, request, entry.index);
      return;
    }
    this.#rooms.reachAllNodes();
    client.toAnyNode(shardId, request, entry.index);
  }

  /** SSUBSCRIBE on a node's own port: shard channels belong to slots. Null: they are this node's. */
  #shardChannelsElsewhere(entry: CommandEntry, request: Request): string | null {
    const { placement } = this.#rooms.core.router;
    if (this.#rooms.localNodeId === 0 || placement === null || entry.record.keys === null) return null;
    const slot = this.#slotAt(request, 1);
    for (let i = 2; i < request.count; i++) if (this.#slotAt(request, i) !== slot) return GatewayErrors.crossSlot;
    return this.redirect(slot, placement.shardOf(slot));
  }

  /** A node's own port: the error for a shard that another node leads; null: this node, or nobody that we know of. */
  redirect(slot: number, shardId: number): string | null {
    const { router } = this.#rooms.core;
    const leader = router.route(shardId).leaderNodeId;
    if (leader === 0 || leader === this.#rooms.localNodeId) return null;
    const node = router.state!.node(leader);
    return node === null ? null : `MOVED ${slot} ${node.announceHost}:${node.announcePort}`;
  }

  /** Slot of the first key of a request; for redirects of what was already queued. */
  slotOfFirstKey(request: Request): number {
    if (isShardExec(request)) return Math.max(0, ShardExec.slot(request));
    const record = findCommand(request);
    const found = record === null ? 0 : findKeys(record, request, this.#positions);
    return found > 0 ? this.#slotAt(request, this.#positions[0]!) : 0;
  }

  #slotAt(request: Request, position: number): number {
    return slotOf(request.bytes, request.start(position), request.end(position));
  }

  /** XREAD, XREADGROUP. */
  #spreadStreams(client: ClientConnection, entry: CommandEntry, request: Request, positions: readonly number[]): void {
    const placement = this.#rooms.core.router.placement!;
    const shardIds = positions.map((position) => placement.shardOf(this.#slotAt(request, position)));
    const error = this.#rooms.spread.begin(client, request, entry.isWrite, shardIds);
    if (error !== null) this.error(client, error);
  }

  /** DEL, UNLINK, EXISTS: one request per shard with that shard's keys, in their order. */
  #spreadKeys(client: ClientConnection, entry: CommandEntry, request: Request, positions: readonly number[]): void {
    const placement = this.#rooms.core.router.placement!;
    const byShard = new Map<number, number[]>();
    const partOf = new Map<number, number>();
    const order: number[] = [];
    for (const position of positions) {
      const shardId = placement.shardOf(this.#slotAt(request, position));
      const known = byShard.get(shardId);
      if (known === undefined) {
        partOf.set(shardId, byShard.size);
        byShard.set(shardId, [position]);
      } else {
        known.push(position);
      }
      order.push(partOf.get(shardId)!);
    }
    const slot = client.reserve();
    const gather = new Gather(client, slot, byShard.size, mergeOf(entry), order);
    // All bytes are copied before anything is sent: sending may let the decoder go on.
    const parts = [...byShard].map(([shardId, keys]) => ({ shardId, bytes: requestOf(request, keys) }));
    for (const [i, part] of parts.entries()) this.#part(client, entry, part.shardId, part.bytes, gather, i);
  }

  #toAllShards(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const shardIds = this.localShardIds();
    const slot = client.reserve();
    if (shardIds.length === 0) {
      const empty = this.replyBytes((reply) => reply.error(GatewayErrors.noLeader), 2);
      client.replies.deliver(slot, 1, empty, 0, empty.length);
      return;
    }
    const gather = new Gather(client, slot, shardIds.length, mergeOf(entry));
    for (const [i, shardId] of shardIds.entries()) this.#part(client, entry, shardId, bytes, gather, i);
  }

  #part(
    client: ClientConnection,
    entry: CommandEntry,
    shardId: number,
    bytes: Uint8Array,
    sink: PartSink,
    part: number,
  ): void {
    client.partToShard(shardId, bytes, sink, part, RequestMode.whole, false, entry.index);
  }

  #toAnyShard(client: ClientConnection, request: Request): void {
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    new DrawnShard(client, client.reserve(), bytes, this.localShardIds(), this.#rooms.random).ask();
  }

  /** Shards that commands over the whole keyspace go to: all, or on a node's own port those that it leads. */
  localShardIds(): number[] {
    const { router } = this.#rooms.core;
    const { localNodeId } = this.#rooms;
    const ids = router.shardIds();
    return localNodeId === 0 ? ids : ids.filter((id) => router.route(id).leaderNodeId === localNodeId);
  }

  #scan(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const { router } = this.#rooms.core;
    const cursor = readCursor(request.latin1(1));
    if (cursor === null) {
      this.error(client, Errors.invalidCursor);
      return;
    }
    const slotNumber = slotOfCursor(cursor);
    if (slotNumber < 0) {
      // Behind the last slot: any shard says that the scan is over.
      client.toShard(this.localShardIds()[0] ?? router.shardIds()[0]!, request, entry.index);
      return;
    }
    // On a node's own port the walk goes through the shards that the node leads, as Redis Cluster's goes through one node's slots.
    const walk = new Set(this.localShardIds());
    const shardId = router.placement!.shardOf(slotNumber);
    const behind = cursorBehind(router.state!, shardId, walk);
    const slot = client.reserve();
    if (!walk.has(shardId)) {
      const nothingHere = this.replyBytes((reply) => {
        reply.array(2);
        reply.bulkLatin1(behind);
        reply.array(0);
      }, 2);
      client.replies.deliver(slot, 1, nothingHere, 0, nothingHere.length);
      return;
    }
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    this.#part(client, entry, shardId, bytes, new ScanPart(client, slot, behind), 0);
  }

  // ── WAIT ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** `inside`: of EXEC, where it waits for nothing and says how many there are. */
  #wait(
    client: ClientConnection,
    entry: CommandEntry,
    request: Request,
    inside: ((reply: Uint8Array) => void) | null,
  ): void {
    const isAof = entry.record.name === "waitaof";
    const local = isAof ? longAt(request, 1) : 0;
    const replicas = longAt(request, isAof ? 2 : 1);
    const timeoutMs = longAt(request, isAof ? 3 : 2);
    const fail = (text: string): void => {
      if (inside === null) this.error(client, text);
      else inside(this.replyBytes((reply) => reply.error(text), 2));
    };
    if (Number.isNaN(local) || Number.isNaN(replicas)) return fail(Errors.notInteger);
    if (local < 0 || local > 1) return fail("ERR value is out of range, value must between 0 and 1");
    if (isAof && replicas < 0) return fail("ERR value is out of range, must be positive");
    if (Number.isNaN(timeoutMs)) return fail(Errors.timeoutNotInteger);
    if (timeoutMs < 0) return fail(Errors.timeoutNegative);
    const kind = isAof ? WaitKind.waitAof : WaitKind.wait;
    const replicasWanted = Math.max(0, replicas);
    if (inside === null) this.#rooms.waits.begin(client, { kind, replicasWanted, timeoutMs });
    else this.#rooms.waits.count(client, { kind, replicasWanted, timeoutMs: 1 }, inside);
  }

  // ── inside EXEC ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  answerInside(client: ClientConnection, { record, bytes }: QueuedCommand, done: (reply: Uint8Array) => void): void {
    const entry = this.entries.of(record);
    if (entry.path === Path.wait) {
      this.withRequest(bytes, (request) => this.#wait(client, entry, request, done));
      return;
    }
    const run = (): void =>
      this.withRequest(bytes, (request) => {
        const refused = this.#refusalInside(entry, request);
        if (refused === null) this.#answers.runHandler(client, entry, request, done);
        else done(this.replyBytes((reply) => reply.error(refused), 2));
      });
    if (entry.readsShardNumbers) this.#rooms.shardNumbers.refresh(client, this.localShardIds(), run);
    else run();
  }

  #refusalInside(entry: CommandEntry, request: Request): string | null {
    if (entry.record.name === "monitor") return Errors.monitorInsideMulti;
    return entry.subscribes ? this.#beforeSubscribing(entry, request) : null;
  }

  noteCall(client: ClientConnection, { record, bytes }: QueuedCommand): void {
    const { core, monitors } = this.#rooms;
    core.statistics.calls[this.entries.of(record).index]!++;
    client.session.commandCount++;
    if (monitors.isAny) this.withRequest(bytes, (request) => monitors.show(record, request, client));
  }

  noteReply(record: CommandRecord, bytes: Uint8Array, start: number, end: number): void {
    const { statistics } = this.#rooms.core;
    if (statistics.countErrors(bytes, start, end, 1) !== null) statistics.failed[this.entries.of(record).index]!++;
  }

  // ── session commands ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  #answerHere(client: ClientConnection, entry: CommandEntry, request: Request): void {
    client.closeRun();
    const refused = entry.subscribes ? this.#beforeSubscribing(entry, request) : null;
    if (refused === null) this.#answers.answer(client, entry, request);
    else this.error(client, refused);
  }

  /** The error, or null: channels can be heard of. */
  #beforeSubscribing(entry: CommandEntry, request: Request): string | null {
    if (this.#rooms.core.subscriptions.isFull) return GatewayErrors.tooManySubscriptions;
    const elsewhere = this.#shardChannelsElsewhere(entry, request);
    if (elsewhere === null) this.#rooms.reachAllNodes();
    return elsewhere;
  }

  /** Reply bytes of their own. */
  replyBytes(write: (reply: ReplyWriter) => void, version: 2 | 3): Uint8Array {
    const reply = new ReplyWriter(new ByteWriter(64), version);
    write(reply);
    return reply.writer.take(0);
  }

  /** Decodes one whole canonical request. */
  withRequest(bytes: Uint8Array, use: (request: Request) => void): void {
    this.#rooms.shardNumbers.decode(bytes, use);
  }
}

export function tableEntries(): CommandEntries {
  return new CommandEntries(commandTable);
}

function mergeOf(entry: CommandEntry): Merge {
  const { fanOut } = entry.record;
  assert(fanOut !== null && "merge" in fanOut, "a command that is spread says how its replies become one");
  return fanOut.merge;
}

/** A signed 64-bit integer, beyond 2^53 rounded; NaN when it is none. */
function longAt(request: Request, position: number): number {
  const value = request.int64(position);
  return value === null ? Number.NaN : Number(value);
}

/** The command's name and these arguments, as a request. */
function requestOf(request: Request, positions: readonly number[]): Uint8Array {
  const writer = new ByteWriter(256);
  const reply = new ReplyWriter(writer);
  reply.array(positions.length + 1);
  writer.raw(request.bytes, request.headerStart(0), request.end(0) + 2);
  for (const position of positions) writer.raw(request.bytes, request.headerStart(position), request.end(position) + 2);
  return writer.take(0);
}
