/** One client's session as commands see it (CLIENT, HELLO, RESET …): plain values. */
import { ReplyMode, Transaction } from "@headrace/commands";
import type { Ack, Session } from "@headrace/commands";
import type { ClientSubscriptions } from "./client-subscriptions.ts";
import type { WrittenStreams } from "./written-streams.ts";

/** What comes to the client without being asked for. */
export interface Heard {
  readonly subscriptions: ClientSubscriptions;
  readonly written: WrittenStreams;
}

export class SessionState implements Session {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly createdAtMs: number;
  respVersion: 2 | 3 = 2;
  name: string = "";
  libraryName: string = "";
  libraryVersion: string = "";
  ack: Ack | null = null;
  readonly subscriptions: ClientSubscriptions;
  lastCommand: string = "NULL";
  lastActiveAtMs: number;
  closing: boolean = false;
  blocked: boolean = false;
  queryBufferBytes: number = 0;
  outputBufferBytes: number = 0;
  readonly transaction: Transaction = new Transaction();
  replyMode: ReplyMode = ReplyMode.on;
  monitors: boolean = false;
  noEvict: boolean = false;
  noTouch: boolean = false;
  readonly written: WrittenStreams;
  #hearsPressure: boolean = false;
  inputBytes: number = 0;
  outputBytes: number = 0;
  commandCount: number = 0;

  constructor(id: number, address: string, localAddress: string, nowMs: number, heard: Heard) {
    this.id = id;
    this.subscriptions = heard.subscriptions;
    this.written = heard.written;
    this.address = address;
    this.localAddress = localAddress;
    this.createdAtMs = nowMs;
    this.lastActiveAtMs = nowMs;
  }

  get hearsPressure(): boolean {
    return this.#hearsPressure;
  }

  set hearsPressure(hears: boolean) {
    this.#hearsPressure = hears;
    if (!hears) this.written.clear();
  }
}
