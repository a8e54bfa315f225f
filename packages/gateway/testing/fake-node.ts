/** A node that does what a test says: speaks the link protocol, records what it is asked, answers by itself unless told not to. */
import { ByteWriter, bytesOf, latin1 } from "@headrace/bytes";
import * as link from "@headrace/link";
import type { ByteConnection, ByteListener } from "@headrace/ports";
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import { defaultLimits } from "../src/config.ts";
import type { MemoryWorld } from "./memory-world.ts";

export interface Asked {
  readonly lane: number;
  readonly shard: number;
  readonly epoch: number;
  readonly first: number;
  readonly count: number;
  /** −1: not a resend. */
  readonly executedUpTo: number;
  readonly mode: link.RequestMode;
  readonly used: link.ReadUse;
  readonly payloadBytes: number;
  readonly commands: readonly (readonly string[])[];
}

export class FakeNode {
  readonly nodeId: number;
  readonly address: string;
  /** Everything asked, in order. */
  readonly asked: Asked[] = [];
  readonly opened: { lane: number; open: link.LaneOpen }[] = [];
  readonly set: { lane: number; set: link.LaneSet }[] = [];
  readonly closed: number[] = [];
  readonly waits: { lane: number; shard: number; query: link.WaitQueryPayload }[] = [];
  readonly waitCancels: number[] = [];
  readonly cancels: ({ shard: number } & link.Cancel)[] = [];
  readonly offerAnswers: ({ shard: number } & link.OfferAnswer)[] = [];
  /** What to do with each request frame; by default every command is answered with its words. */
  onAsked: (asked: Asked) => void = (asked) => this.answerAll(asked);
  onWait: (shard: number, query: link.WaitQueryPayload) => void = () => {};
  /** Shards that it says it leads, told as soon as a link is up; term by shard. */
  readonly leads: Map<number, number> = new Map();
  readonly subscriptions: link.SubscriptionChange[] = [];
  takesSubscriptions: boolean = true;
  returnsCredit: boolean = true;
  answersPings: boolean = true;
  credits: link.LinkCredits = { laneCreditBytes: 1 << 20, linkCreditBytes: 1 << 24 };
  connection: ByteConnection | null = null;
  readonly #world: MemoryWorld;
  readonly #clusterId: string;
  #listener: ByteListener | null = null;
  readonly #out: ByteWriter = new ByteWriter(1024);
  readonly #payload: link.RequestPayload = new link.RequestPayload();

  constructor(world: MemoryWorld, nodeId: number, address: string, clusterId: string) {
    this.#world = world;
    this.nodeId = nodeId;
    this.address = address;
    this.#clusterId = clusterId;
    this.start();
  }

  start(): void {
    this.#listener = this.#world.network.accept(
      this.address,
      (connection) => this.#onConnection(connection),
      () => {},
    );
  }

  /** As kill -9: the port is closed, the link reset. */
  kill(): void {
    this.#listener?.close(() => {});
    this.connection?.destroy();
    this.connection = null;
  }

  /** Asked to stop: says Bye behind everything that it has said, then ends. */
  leave(): void {
    this.#listener?.close(() => {});
    link.writeBye(this.#out);
    this.flush();
    this.connection?.end();
    this.connection = null;
  }

  // ── what a test makes it say ───────────────────────────────────────────────────────────────────────────────────────────────────

  answerAll(asked: Asked, term: number = 1): void {
    let text = "";
    for (const words of asked.commands) text += `+${words.join(" ")}\r\n`;
    this.reply(asked, asked.first, asked.count, text, term, asked.first);
  }

  reply(
    asked: Asked,
    firstNumber: number,
    count: number,
    resp: string,
    writeTerm: number = 0,
    writeIndex: number = 0,
  ): void {
    const header = { laneEpoch: asked.epoch, count, firstNumber, writeTerm, writeIndex };
    const at = link.beginReply(this.#out, asked.shard, asked.lane, header);
    this.#out.latin1(resp);
    link.endFrame(this.#out, at);
    this.flush();
  }

  refuse(
    asked: Asked,
    firstNumber: number,
    reason: link.RefuseReason,
    leaderNodeId: number = 0,
    term: number = 0,
  ): void {
    const refuse = { laneEpoch: asked.epoch, reason, firstNumber, leaderNodeId, term };
    link.writeRefuse(this.#out, asked.shard, asked.lane, refuse);
    this.flush();
  }

  lost(asked: Asked, firstNumber: number, count: number): void {
    link.writeLost(this.#out, asked.shard, asked.lane, { laneEpoch: asked.epoch, count, firstNumber });
    this.flush();
  }

  parked(asked: Asked, number: number, ...ids: readonly string[]): void {
    link.writeParked(this.#out, asked.shard, asked.lane, { laneEpoch: asked.epoch, number, ids });
    this.flush();
  }

  offer(asked: Asked, offer: number): void {
    link.writeOffer(this.#out, asked.shard, asked.lane, { number: asked.first, offer });
    this.flush();
  }

  message(shard: number, term: number, kind: number, channel: string, text: string): void {
    link.writeMessage(this.#out, shard, term, kind, channel, bytesOf(text));
    this.flush();
  }

  offerVoid(asked: Asked, offer: number): void {
    link.writeOfferVoid(this.#out, asked.shard, asked.lane, { number: asked.first, offer });
    this.flush();
  }

  credit(lane: number, bytes: number): void {
    link.writeCredit(this.#out, lane, bytes);
    this.flush();
  }

  leader(shard: number, nodeId: number, term: number): void {
    link.writeLeader(this.#out, shard, { nodeId, term });
    this.flush();
  }

  answerWait(
    shard: number,
    query: number,
    outcome: link.WaitOutcome,
    replicas: number,
    localFsynced: boolean = true,
  ): void {
    link.writeWaitAnswer(this.#out, shard, 0, { query, outcome, replicas, localFsynced });
    this.flush();
  }

  flush(): void {
    if (this.#out.length > 0) this.connection?.write(this.#out.take());
  }

  // ── the protocol ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #onConnection(connection: ByteConnection): void {
    this.connection = connection;
    const reader = new link.FrameReader({ maxMessageBytes: 1 << 28, maxPartialBytes: 1 << 28 }, true);
    const handshake = new link.NodeHandshake(
      { clusterId: this.#clusterId, nodeId: this.nodeId, incarnation: 1, featureLevel: 1 },
      this.credits,
      { secret: null, hmacSha256: (_key, data) => data, nonce: "0".repeat(32) },
    );
    connection.listen({
      onData: (chunk) => {
        reader.feed(chunk);
        while (reader.next() === link.FrameResult.frame) {
          if (handshake.state === "ready") this.#onFrame(reader);
          else if (handshake.onFrame(reader, this.#out) === "ready") this.#onUp();
        }
        if (reader.error !== null) throw new Error(reader.error);
        this.flush();
      },
      onDrain: () => {},
      onClose: () => {},
    });
  }

  #onUp(): void {
    for (const [shard, term] of this.leads) link.writeLeader(this.#out, shard, { nodeId: this.nodeId, term });
  }

  #onFrame(frame: link.FrameReader): void {
    const { lane, shard } = frame;
    switch (frame.type) {
      case link.FrameType.LaneOpen:
        this.opened.push({ lane, open: link.decodeLaneOpen(frame)! });
        break;
      case link.FrameType.LaneSet:
        this.set.push({ lane, set: link.decodeLaneSet(frame)! });
        break;
      case link.FrameType.LaneClose:
        this.closed.push(lane);
        break;
      case link.FrameType.Ping:
        if (this.answersPings) link.writePong(this.#out, link.decodePing(frame)!);
        break;
      case link.FrameType.WaitQuery: {
        const query = link.decodeWaitQuery(frame)!;
        this.waits.push({ lane, shard, query });
        this.onWait(shard, query);
        break;
      }
      case link.FrameType.WaitCancel:
        this.waitCancels.push(link.decodeWaitCancel(frame)!);
        break;
      case link.FrameType.Cancel:
        this.cancels.push({ shard, ...link.decodeCancel(frame)! });
        break;
      case link.FrameType.OfferAnswer:
        this.offerAnswers.push({ shard, ...link.decodeOfferAnswer(frame)! });
        break;
      case link.FrameType.Subscriptions: {
        const { number, changes } = link.decodeSubscriptions(frame)!;
        this.subscriptions.push(...changes);
        if (number > 0 && this.takesSubscriptions) link.writeSubscriptionsTaken(this.#out, number);
        break;
      }
      case link.FrameType.Request:
        this.#onRequest(frame);
        break;
      default:
        throw new Error(`frame type ${frame.type}`);
    }
  }

  #onRequest(frame: link.FrameReader): void {
    const { lane, shard } = frame;
    const payload = this.#payload;
    if (!payload.decode(frame)) throw new Error("malformed request frame");
    const decoder = new RequestDecoder(defaultLimits.decoder);
    decoder.feed(frame.bytes.subarray(payload.start, payload.end));
    const commands: string[][] = [];
    while (decoder.next() === DecodeResult.request) {
      const { request } = decoder;
      const words: string[] = [];
      for (let i = 0; i < request.count; i++) words.push(latin1(request.bytes, request.start(i), request.end(i)));
      commands.push(words);
    }
    if (commands.length !== payload.count) throw new Error(`${commands.length} commands, ${payload.count} announced`);
    const payloadBytes = frame.end - frame.start;
    const asked = {
      lane,
      shard,
      epoch: payload.laneEpoch,
      first: payload.firstNumber,
      count: payload.count,
      executedUpTo: payload.executedUpTo,
      mode: payload.mode,
      used: payload.used,
      payloadBytes,
      commands,
    };
    this.asked.push(asked);
    if (this.returnsCredit) {
      link.writeCredit(this.#out, lane, payloadBytes);
      link.writeCredit(this.#out, 0, payloadBytes);
    }
    this.onAsked(asked);
  }
}
