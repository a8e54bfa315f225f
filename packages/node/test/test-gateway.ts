/** The gateway's end of a link for tests: speaks the protocol by the other side of the codec and keeps every frame that it gets. */
import { ByteWriter, bytesOf, latin1 } from "@headrace/bytes";
import {
  ACK_DEFAULT,
  beginRequest,
  decodeCredit,
  decodeLeader,
  decodeLost,
  decodeMessage,
  decodePing,
  decodeRefuse,
  decodeSubscriptionsTaken,
  decodeWaitAnswer,
  endFrame,
  FrameReader,
  FrameResult,
  FrameType,
  GatewayHandshake,
  NOTHING_USED,
  ReplyPayload,
  RequestMode,
  writeLaneOpen,
} from "@headrace/link";
import { testDigest } from "./memory-world.ts";
import type { MemoryConnection } from "./memory-world.ts";

export interface Received {
  readonly type: number;
  readonly shard: number;
  readonly lane: number;
  readonly value: unknown;
}

/** The gateway's end of a link, by the other side of the codec. */
export class TestGateway {
  readonly connection: MemoryConnection;
  readonly received: Received[] = [];
  readonly writer: ByteWriter = new ByteWriter();
  readonly handshake: GatewayHandshake;
  readonly #reader: FrameReader = new FrameReader({ maxMessageBytes: 1 << 24, maxPartialBytes: 1 << 25 }, false);
  closed = "";

  constructor(connection: MemoryConnection, secret: string, clusterId: string = "c1") {
    this.connection = connection;
    this.handshake = new GatewayHandshake({ clusterId, gatewayId: "g", incarnation: 1, featureLevel: 1 }, 0, {
      secret: secret === "" ? null : bytesOf(secret),
      hmacSha256: (key, data) => testDigest.hmacSha256(key, data),
      nonce: "0123456789abcdef0123456789abcdef",
    });
    connection.listen({
      onData: (chunk) => this.#onData(chunk),
      onDrain: () => undefined,
      onClose: (reason) => {
        this.closed = reason;
      },
    });
    this.handshake.begin(this.writer);
    this.send();
  }

  send(): void {
    this.connection.write(this.writer.take());
  }

  open(lane: number): void {
    const session = new Uint8Array(16).fill(lane);
    writeLaneOpen(this.writer, lane, { respVersion: 3, ack: ACK_DEFAULT, clientId: lane, openedAtMs: 1, session });
  }

  /** `text`: `count` whole requests. */
  request(
    lane: number,
    firstNumber: number,
    text: string,
    count: number = 1,
    laneEpoch: number = 1,
    shard: number = 7,
  ): void {
    const header = {
      laneEpoch,
      placementEpoch: 1,
      count,
      flags: 0,
      mode: RequestMode.whole,
      used: NOTHING_USED,
      firstNumber,
      lowestUnanswered: 1,
      executedUpTo: -1,
    };
    const at = beginRequest(this.writer, shard, lane, header);
    this.writer.all(bytesOf(text));
    endFrame(this.writer, at);
  }

  of(type: number): Received[] {
    return this.received.filter((frame) => frame.type === type);
  }

  #onData(chunk: Uint8Array): void {
    this.#reader.feed(chunk);
    while (this.#reader.next() === FrameResult.frame) {
      if (this.handshake.state !== "ready") {
        this.handshake.onFrame(this.#reader, this.writer);
        if (this.writer.length > 0) this.send();
        continue;
      }
      const { type, shard, lane } = this.#reader;
      this.received.push({ type, shard, lane, value: this.#value(type) });
    }
  }

  #value(type: number): unknown {
    const reader = this.#reader;
    if (type === FrameType.Reply) {
      const reply = new ReplyPayload();
      if (!reply.decode(reader)) throw new Error("malformed reply");
      const { laneEpoch, count, firstNumber, writeTerm, writeIndex, start, end } = reply;
      return { laneEpoch, count, firstNumber, writeTerm, writeIndex, text: latin1(reader.bytes, start, end) };
    }
    if (type === FrameType.Refuse) return decodeRefuse(reader);
    if (type === FrameType.Lost) return decodeLost(reader);
    if (type === FrameType.Credit) return decodeCredit(reader);
    if (type === FrameType.Leader) return decodeLeader(reader);
    if (type === FrameType.Pong) return decodePing(reader);
    if (type === FrameType.WaitAnswer) return decodeWaitAnswer(reader);
    if (type === FrameType.SubscriptionsTaken) return decodeSubscriptionsTaken(reader);
    if (type === FrameType.Message) return decodeMessage(reader);
    if (type === FrameType.Bye) return null;
    throw new Error(`frame ${type}`);
  }
}
