/**
 * One shard in memory with a clock that stands still, and any number of connections: RESP in, RESP out, through the very handlers, engine
 * and decoder of the product. Each command is a batch of its own, committed at once. For tests of every room.
 */
import { assert } from "@headrace/bytes";
import { KeyWatch, ShardState } from "@headrace/engine";
import { DecodeResult, ReplyWriter, RequestDecoder } from "@headrace/resp";
import type { Effects, OutboxItem, Retry } from "@headrace/engine";
import type { Request } from "@headrace/resp";
import { Errors, exec, execAbortedBy, executeShardCommand, findCommand, Flag, isQueuedInMulti } from "../src/index.ts";
import {
  ReadMode,
  refusal,
  refusedToSubscriber,
  ReplyMode,
  slotOfKeys,
  takeItem,
  Transaction,
  watch,
} from "../src/index.ts";
import type { BlockedCall, CommandRecord, Session, SessionServices, ShardContext } from "../src/index.ts";
import { FakeChannels, FakeSubscriptions } from "./fake-channels.ts";
import { FakeServices } from "./fake-services.ts";

const LIMITS = {
  maxBulkBytes: 16 * 1024 * 1024,
  maxArguments: 1024 * 1024,
  maxInlineBytes: 64 * 1024,
  maxRequestBytes: 64 * 1024 * 1024,
};

const NO_COUNTERS = {
  changes: 0,
  blockingKeys: 0,
  blockingKeysOnNoKey: 0,
  keyspaceHits: 0,
  keyspaceMisses: 0,
  blockBytes: 0,
  fixedBytes: 0,
};

/** The clock of all harnesses: 2023-11-14, past any id that fixtures name. */
export const HARNESS_START_MS = 1_700_000_000_000;

/** A call that waits for entries. */
interface Blocked {
  readonly client: HarnessClient;
  readonly requestBytes: Uint8Array;
  readonly call: BlockedCall;
}

export class HarnessClient {
  readonly session: Session;
  readonly decoder: RequestDecoder;
  readonly watch: KeyWatch;
  readonly subscriptions: FakeSubscriptions = new FakeSubscriptions();

  constructor(id: number) {
    this.session = {
      id,
      address: `127.0.0.1:${50_000 + id}`,
      localAddress: "127.0.0.1:6379",
      createdAtMs: 0,
      respVersion: 2,
      name: "",
      libraryName: "",
      libraryVersion: "",
      ack: null,
      subscriptions: this.subscriptions,
      lastCommand: "",
      lastActiveAtMs: 0,
      closing: false,
      blocked: false,
      queryBufferBytes: 0,
      outputBufferBytes: 0,
      transaction: new Transaction(),
      replyMode: ReplyMode.on,
      monitors: false,
      noEvict: false,
      noTouch: false,
      hearsPressure: false,
      inputBytes: 0,
      outputBytes: 0,
      commandCount: 0,
    };
    this.watch = new KeyWatch();
    this.decoder = new RequestDecoder(LIMITS);
  }
}

/** A reply that left; `bytes` null: the call blocks. */
export interface HarnessReply {
  readonly client: HarnessClient;
  readonly bytes: Uint8Array | null;
}

export class CommandHarness {
  readonly state: ShardState;
  readonly services: SessionServices;
  nowMs: number;
  nodeBounds: { maxEntries: number; maxBytes: number };
  idempotenceWindow: { durationSeconds: number; maxSize: number };
  delayedMaxEntries: number;
  outboxMaxBytes: number;
  readonly #clients: HarnessClient[];
  readonly #channels: FakeChannels;
  #blocked: Blocked[];
  /** That woke the call which runs again. */
  #readyKey: string | null;

  constructor() {
    this.state = new ShardState();
    this.nowMs = HARNESS_START_MS;
    this.nodeBounds = { maxEntries: 100, maxBytes: 4096 };
    this.idempotenceWindow = { durationSeconds: 100, maxSize: 100 };
    this.delayedMaxEntries = 100_000;
    this.outboxMaxBytes = 8 * 1024 * 1024;
    this.#clients = [];
    this.#channels = new FakeChannels(() => this.#clients.map((client) => client.subscriptions));
    this.#blocked = [];
    this.#readyKey = null;
    this.services = new FakeServices(
      () => this.#clients.map((client) => client.session),
      () => this.nowMs,
      () => this.state.keyspace.size,
      (name, value) => this.#follow(name, Number(value)),
    );
  }

  #follow(name: string, value: number): void {
    if (name === "stream-node-max-entries") this.nodeBounds.maxEntries = value;
    if (name === "stream-node-max-bytes") this.nodeBounds.maxBytes = value;
    if (name === "stream-delayed-max-entries") this.delayedMaxEntries = value;
    if (name === "stream-outbox-max-bytes") this.outboxMaxBytes = value;
    if (name === "stream-idmp-duration") this.idempotenceWindow.durationSeconds = value;
    if (name === "stream-idmp-maxsize") this.idempotenceWindow.maxSize = value;
  }

  connect(): HarnessClient {
    const client = new HarnessClient(this.#clients.length + 1);
    this.#clients.push(client);
    return client;
  }

  /** Bytes from a client; answers the replies of all clients that they caused, in order. */
  send(client: HarnessClient, bytes: Uint8Array): HarnessReply[] {
    const replies: HarnessReply[] = [];
    client.decoder.feed(bytes);
    for (;;) {
      const result = client.decoder.next();
      if (result === DecodeResult.needMore) return replies;
      if (result === DecodeResult.error) {
        const writer = new ReplyWriter();
        writer.error(client.decoder.errorText);
        replies.push({ client, bytes: writer.writer.take() });
        return replies;
      }
      replies.push(this.#run(client, client.decoder.request, null));
      this.#emptyOutbox();
      replies.push(...this.#wake());
    }
  }

  /** A command as typed, answered with the bytes of its own reply. */
  type(client: HarnessClient, line: string): HarnessReply[] {
    return this.send(client, new TextEncoder().encode(`${line}\r\n`));
  }

  #run(client: HarnessClient, request: Request, resumed: BlockedCall | null): HarnessReply {
    const reply = new ReplyWriter(undefined, client.session.respVersion);
    const record = findCommand(request);
    const refused = refusal(request, record) ?? refusedToSubscriber(client.session, record);
    const { transaction } = client.session;
    if (refused !== null || record === null) {
      this.#refuse(client, record, refused!, reply);
    } else if (transaction.isOpen && (record === watch || isQueuedInMulti(record))) {
      queue(transaction, record, request, reply);
    } else if (record === exec) {
      this.#exec(client, reply);
    } else if (record === watch) {
      this.#watch(client, request, reply);
    } else if (record.answer !== null) {
      record.answer({ request, reply, session: client.session, services: this.services, defer: neverDeferred });
      this.#unwatchForgotten(client);
    } else if (record.execute !== null) {
      const call = this.#execute(client, record, request, reply, resumed);
      if (call !== null) return { client, bytes: null };
    } else {
      reply.error("ERR answered by the gateway");
    }
    return { client, bytes: reply.writer.take() };
  }

  #execute(
    client: HarnessClient,
    record: CommandRecord,
    request: Request,
    reply: ReplyWriter,
    resumed: BlockedCall | null,
  ): BlockedCall | null {
    const before = reply.writer.length;
    const blocked = this.#inBatch((effects) => this.#call(record, request, { reply, effects, resumed }));
    if (blocked !== null) {
      assert(reply.writer.length === before, "a call that blocks has written no reply");
      if (resumed === null) this.#park(client, request, blocked);
    }
    return blocked;
  }

  /** One log entry, committed at once. */
  #inBatch<Result>(work: (effects: Effects) => Result): Result {
    const effects = this.state.openBatch(this.state.index + 1, this.nowMs);
    const result = work(effects);
    if (this.state.sealBatch() !== null) this.state.committedTo(this.state.index);
    return result;
  }

  /** As a leader does at the end of its turn: all slots are this shard's. */
  #emptyOutbox(): void {
    for (let isTaken = true; isTaken;) {
      const [queue] = this.state.outbox.queues();
      if (queue === undefined) return;
      isTaken = this.#inBatch((effects) => this.#takeFirst(queue.first, effects));
    }
  }

  #takeFirst(item: OutboxItem, effects: Effects): boolean {
    const { nodeBounds, idempotenceWindow, outboxMaxBytes } = this;
    const keyspace = this.state.live;
    const given = { nodeBounds, idempotenceWindow, outboxMaxBytes, growthRefusal: null };
    const context = { keyspace, effects, nowMs: effects.logTimeMs, ...given };
    if (takeItem(context, item) !== null) return false;
    effects.outbox.settle([item.number]);
    return true;
  }

  /** `resumed` undefined: inside MULTI. */
  #call(
    record: CommandRecord,
    request: Request,
    into: {
      readonly reply: ReplyWriter;
      readonly effects: Effects;
      readonly resumed: BlockedCall | null;
      readonly isInMulti?: boolean;
    },
  ): BlockedCall | null {
    const { reply, effects, resumed } = into;
    let blocked: BlockedCall | null = null;
    const context: ShardContext = {
      request,
      reply,
      keyspace: this.state.live,
      effects,
      nowMs: effects.logTimeMs,
      nodeBounds: this.nodeBounds,
      randomBelow: () => 0,
      effectRoomBytes: Number.POSITIVE_INFINITY,
      counters: NO_COUNTERS,
      isUncounted: false,
      handsOut: false,
      idempotenceWindow: this.idempotenceWindow,
      delayedMaxEntries: this.delayedMaxEntries,
      outboxMaxBytes: this.outboxMaxBytes,
      ack: null,
      resumed,
      noteLimits: () => {},
      noteRefusedForLag: () => {},
      readyKey: this.#readyKey,
      denyBlocking: into.isInMulti === true,
      readMode: ReadMode.whole,
      used: { entries: 0, bytes: 0 },
      looksOnly: false,
      isHeldUp: () => false,
      offer: () => assert(false, "a call that does not wait is offered nothing"),
      block(call) {
        blocked = call;
      },
      channels: this.#channels,
    };
    executeShardCommand(record, context);
    return blocked;
  }

  #refuse(client: HarnessClient, record: CommandRecord | null, text: string, reply: ReplyWriter): void {
    const { transaction } = client.session;
    transaction.spoil();
    if (record !== exec) return reply.error(text);
    transaction.close();
    this.#unwatchForgotten(client);
    reply.error(execAbortedBy(text));
  }

  #exec(client: HarnessClient, reply: ReplyWriter): void {
    const { transaction } = client.session;
    const refused = transaction.refusal();
    if (refused !== null) {
      transaction.close();
      this.#unwatchForgotten(client);
      return reply.error(refused);
    }
    const { queued } = transaction.take();
    const { isTouched } = client.watch;
    this.#unwatchForgotten(client);
    if (isTouched) return reply.nullArray();
    reply.array(queued.length);
    this.#inBatch((effects) => {
      for (const { record, bytes } of queued) {
        const request = decoded(bytes);
        if (record.execute !== null) this.#call(record, request, { reply, effects, resumed: null, isInMulti: true });
        else if (record.name === "monitor") reply.error(Errors.monitorInsideMulti);
        else if (record.answer === null) reply.integer(0);
        else record.answer({ request, reply, session: client.session, services: this.services, defer: neverDeferred });
      }
    });
  }

  #watch(client: HarnessClient, request: Request, reply: ReplyWriter): void {
    const { transaction } = client.session;
    const slot = slotOfKeys(watch, request);
    if (!transaction.fitsSlot(slot)) return reply.error(Errors.crossSlot);
    const keys = Array.from({ length: request.count - 1 }, (_, i) => request.latin1(i + 1));
    transaction.watch(keys, slot);
    for (const key of keys) this.state.watches.add(key, client.watch);
    reply.ok();
  }

  /** As a leader does when it hears of it. */
  #unwatchForgotten(client: HarnessClient): void {
    if (client.session.transaction.watchCalls > 0) return;
    this.state.watches.remove(client.watch);
    client.watch.isTouched = false;
  }

  #park(client: HarnessClient, request: Request, call: BlockedCall): void {
    for (const key of call.keys) this.state.watchKey(key);
    client.session.blocked = true;
    this.#blocked.push({ client, requestBytes: request.bytes.slice(request.rawStart, request.rawEnd), call });
  }

  /** Runs blocked calls on touched keys again, key by key, in the order in which they came; their replies are in that order, too. */
  #wake(): HarnessReply[] {
    const order = this.#blocked;
    const replies = new Map<Blocked, HarnessReply>();
    for (let touched = this.state.takeTouchedKeys(); touched.size > 0; touched = this.state.takeTouchedKeys()) {
      for (const [key, isReady] of touched) {
        for (const blocked of order) {
          if (replies.has(blocked) || !this.#isServed(blocked, new Map([[key, isReady]]))) continue;
          this.#readyKey = key;
          const reply = this.#resume(blocked);
          if (reply.bytes === null) continue;
          for (const each of blocked.call.keys) this.state.unwatchKey(each);
          blocked.client.session.blocked = false;
          replies.set(blocked, reply);
        }
      }
    }
    this.#blocked = order.filter((blocked) => !replies.has(blocked));
    return order.flatMap((blocked) => replies.get(blocked) ?? []);
  }

  /** Pending entries are for calls with CLAIM alone, or of a group that hands them out again. */
  #isServed({ call, requestBytes }: Blocked, touched: ReadonlyMap<string, boolean>): boolean {
    const { keys, claimMinIdleMs, takesDue } = call;
    if (keys.some((key) => touched.get(key) ?? false)) return true;
    if (call.kind === "write") return keys.some((key) => touched.has(key));
    if (claimMinIdleMs >= 0) return keys.some((key) => touched.has(key));
    if (!takesDue) return false;
    const request = decoded(requestBytes);
    const words = Array.from({ length: request.count }, (_, i) => request.latin1(i));
    const group = words[words.findIndex((word) => word.toUpperCase() === "GROUP") + 1]!;
    const retryOf = (key: string): Retry | null => this.state.keyspace.find(key)?.stream?.group(group)?.retry ?? null;
    return keys.some((key) => touched.has(key) && retryOf(key) !== null);
  }

  #resume(blocked: Blocked): HarnessReply {
    return this.#run(blocked.client, decoded(blocked.requestBytes), blocked.call);
  }
}

/** One whole request. */
function decoded(bytes: Uint8Array): Request {
  const decoder = new RequestDecoder(LIMITS);
  decoder.feed(bytes);
  assert(decoder.next() === DecodeResult.request, "a request that was whole before");
  return decoder.request;
}

/** A request behind MULTI. */
function queue(transaction: Transaction, record: CommandRecord, request: Request, reply: ReplyWriter): void {
  if (record === watch) return reply.error(Errors.watchInsideMulti);
  const slot = slotOfKeys(record, request);
  const isRefused = (record.flags & Flag.noMulti) !== 0;
  if (isRefused || !transaction.fitsSlot(slot)) {
    transaction.spoil();
    return reply.error(isRefused ? Errors.notInsideMulti : Errors.crossSlot);
  }
  transaction.queue(record, request.bytes.slice(request.rawStart, request.rawEnd), slot);
  reply.simple("QUEUED");
}

function neverDeferred(): never {
  throw new Error("the harness answers settings at once");
}
