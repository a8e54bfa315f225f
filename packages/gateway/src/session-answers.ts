/**
 * Commands that the gateway answers itself (scope `session`): at once, behind all earlier replies where they tell of those, or when the shards have said
 * what they count. It runs the handler and does what follows from what the handler changed of the session.
 */
import { ByteWriter, copyOf } from "@headrace/bytes";
import { ReplyMode } from "@headrace/commands";
import type { CommandRecord, SessionContext, SessionServices } from "@headrace/commands";
import { ReplyWriter } from "@headrace/resp";
import type { Request } from "@headrace/resp";
import type { ClientConnection } from "./client-connection.ts";
import type { CommandEntry } from "./command-entry.ts";
import type { LaneCore } from "./lane-core.ts";
import type { Monitors } from "./monitors.ts";
import type { ReplySlot } from "./reply-queue.ts";
import type { ShardNumbersQuery } from "./shard-numbers.ts";

export interface SessionAnswersRooms {
  readonly core: LaneCore;
  readonly services: SessionServices;
  readonly shardNumbers: ShardNumbersQuery;
  readonly monitors: Monitors;
  /** Protocol version or ack level changed. */
  sessionChanged(client: ClientConnection): void;
  /** A request was answered here after this time. */
  noteAnsweredHere(client: ClientConnection, entry: CommandEntry, request: Request, durationMs: number): void;
}

/** What it needs of the dispatcher. */
export interface SessionAnswersHost {
  localShardIds(): number[];
  unwatchAt(client: ClientConnection, slot: number): void;
  noteReply(record: CommandRecord, bytes: Uint8Array, start: number, end: number): void;
  replyBytes(write: (reply: ReplyWriter) => void, version: 2 | 3): Uint8Array;
  withRequest(bytes: Uint8Array, use: (request: Request) => void): void;
}

/** Where a reply goes: to its place in the order of replies, to whoever asked for it, or (null) behind what is open. */
export type ReplyPlace = ReplySlot | ((reply: Uint8Array) => void) | null;

export class SessionAnswers {
  readonly #rooms: SessionAnswersRooms;
  readonly #host: SessionAnswersHost;
  readonly #scratch: ReplyWriter = new ReplyWriter(new ByteWriter(4096), 2);

  constructor(rooms: SessionAnswersRooms, host: SessionAnswersHost) {
    this.#rooms = rooms;
    this.#host = host;
  }

  /** The client's open run is closed. */
  answer(client: ClientConnection, entry: CommandEntry, request: Request): void {
    if (entry.waitsForEarlier && !client.replies.isEmpty) this.#whenFirst(client, entry, request);
    else this.#now(client, entry, request, null);
  }

  /** Behind the replies of all earlier requests; later ones wait. */
  #whenFirst(client: ClientConnection, entry: CommandEntry, request: Request): void {
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const slot = client.reserve();
    client.barrier = true;
    slot.onFirst = () => {
      client.barrier = false;
      this.#host.withRequest(bytes, (again) => this.#now(client, entry, again, slot));
      if (!client.barrier) client.unblocked();
    };
  }

  /** `place`: the reply's, when that was reserved. */
  #now(client: ClientConnection, entry: CommandEntry, request: Request, place: ReplySlot | null): void {
    if (!entry.readsShardNumbers || this.#rooms.core.router.placement === null) {
      this.runHandler(client, entry, request, place);
      return;
    }
    // The request must not change meanwhile: later requests of the client wait.
    const bytes = copyOf(request.bytes, request.rawStart, request.rawEnd);
    const slot = place ?? client.reserve();
    client.barrier = true;
    this.#rooms.shardNumbers.refresh(client, this.#host.localShardIds(), () => {
      if (client.isGone) return;
      this.#host.withRequest(bytes, (again) => this.runHandler(client, entry, again, slot));
      client.unblocked();
    });
  }

  runHandler(client: ClientConnection, entry: CommandEntry, request: Request, place: ReplyPlace): void {
    const { services } = this.#rooms;
    const reply = this.#scratch;
    const session = client.session;
    const { respVersion, ack } = session;
    const { watchSlot } = session.transaction;
    const startedMs = services.monotonicMs;
    reply.writer.clear();
    reply.version = respVersion;
    let deferred = false;
    const context: SessionContext = {
      request,
      reply,
      session,
      services,
      defer: () => {
        deferred = true;
        const later = place ?? client.reserve();
        // What the client asks next may depend on what this changes.
        client.barrier = true;
        return {
          resume: (write) => {
            if (client.isGone) return;
            const bytes = this.#host.replyBytes(write, session.respVersion);
            if (typeof later === "function") {
              later(bytes);
              return;
            }
            client.replies.deliver(later, 1, bytes, 0, bytes.length);
            client.unblocked();
          },
        };
      },
    };
    entry.record.answer!(context);
    const { isSilent } = client.replies;
    // What answers SUBSCRIBE and its kin is no reply but a push, which CLIENT REPLY does not hold back.
    if (entry.pushes) client.replies.isSilent = false;
    if (entry.setsReplyMode) {
      client.replies.isSilent = session.replyMode === ReplyMode.off;
      if (place !== null && typeof place !== "function") place.isSilent = client.replies.isSilent;
    }
    if (!deferred) this.#handOut(client, entry, place);
    if (entry.pushes) client.replies.isSilent = isSilent;
    if (session.respVersion !== respVersion || session.ack !== ack) {
      client.closeRun();
      this.#rooms.sessionChanged(client);
    }
    if (watchSlot >= 0 && session.transaction.watchSlot < 0) this.#host.unwatchAt(client, watchSlot);
    this.#rooms.monitors.follow(client);
    this.#rooms.noteAnsweredHere(client, entry, request, services.monotonicMs - startedMs);
  }

  /** What the handler has written, to where it belongs. */
  #handOut(client: ClientConnection, entry: CommandEntry, place: ReplyPlace): void {
    const { writer } = this.#scratch;
    const { subscriptions } = client.session;
    if (typeof place === "function") {
      subscriptions.takeFresh();
      place(copyOf(writer.bytes, 0, writer.length));
      return;
    }
    if (writer.length === 0) return;
    this.#host.noteReply(entry.record, writer.bytes, 0, writer.length);
    if (subscriptions.hasFresh) {
      this.#rooms.core.subscriptions.confirm(client, subscriptions, copyOf(writer.bytes, 0, writer.length));
    } else if (place === null) {
      client.answer(writer.bytes, 0, writer.length);
    } else {
      client.replies.deliver(place, 1, copyOf(writer.bytes, 0, writer.length), 0, writer.length);
    }
  }
}
