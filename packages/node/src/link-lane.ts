/**
 * One client of a gateway as a link keeps it, and what it remembers of the requests that are on their way.
 *
 * Must not know: frames, connections.
 */
import type { Ack } from "@headrace/commands";
import { ACK_DEFAULT } from "@headrace/link";
import type { LaneOpen, RequestPayload } from "@headrace/link";
import type { Lane, LaneSink } from "./shard-api.ts";

/** What is remembered of a Request frame until all its requests have a fate. Its bytes are the shard's: a blocked call would pin them here. */
export class LaneRequest {
  readonly shardId: number;
  readonly laneEpoch: number;
  readonly firstNumber: number;
  readonly count: number;
  unanswered: number;
  /** What its end gives back; 0 once it has been given back early. */
  creditBytes: number;
  /** The link's age when it arrived. */
  readonly age: number;

  constructor(shardId: number, header: RequestPayload, creditBytes: number, age: number) {
    this.shardId = shardId;
    this.laneEpoch = header.laneEpoch;
    this.firstNumber = header.firstNumber;
    this.count = header.count;
    this.unanswered = header.count;
    this.creditBytes = creditBytes;
    this.age = age;
  }
}

export class LinkLane implements Lane {
  readonly id: number;
  respVersion: 2 | 3;
  ack: Ack | null;
  readonly clientId: number;
  readonly session: Uint8Array;
  readonly openedAtMs: number;
  closed: boolean;
  readonly sink: LaneSink;
  /** The lane's number on the link. */
  readonly wireId: number;
  /** Unanswered frames in the order of arrival. */
  readonly requests: LaneRequest[];
  /** Shards that have heard of the lane. */
  readonly shardIds: Set<number>;
  /** Answered bytes not yet granted back. */
  owedBytes: number;

  constructor(id: number, wireId: number, open: LaneOpen, sink: LaneSink) {
    this.id = id;
    this.respVersion = open.respVersion;
    this.ack = ackOf(open.ack);
    this.clientId = open.clientId;
    this.session = open.session;
    this.openedAtMs = open.openedAtMs;
    this.closed = false;
    this.sink = sink;
    this.wireId = wireId;
    this.requests = [];
    this.shardIds = new Set();
    this.owedBytes = 0;
  }
}

/** The level on the wire; null = resolve by the cluster's setting. */
export function ackOf(wire: number): Ack | null {
  return wire === ACK_DEFAULT ? null : (wire as Ack);
}
