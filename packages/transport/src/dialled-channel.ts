/**
 * One channel that this node dials at one peer, and on which it receives that peer's frames. Dials again by itself, each time with a new
 * gRPC client: a client kept over failures would sit in its own back-off and in a stale DNS answer (30 s) while the peer is back already.
 */
import { Client, credentials, status, type ClientDuplexStream, type StatusObject } from "@grpc/grpc-js";
import type { PeerChannel, PeerObjection } from "@headrace/ports";
import { peerChannelOptions } from "./grpc-options.ts";
import {
  decodeFrame,
  encodeFrame,
  handshakeFrame,
  type Handshake,
  type IncomingFrame,
  type OutgoingFrame,
} from "./peer-frame.ts";
import {
  freshNonce,
  handshakeOf,
  objectionTo,
  objectionToProof,
  proofOf,
  refusal,
  type Identity,
  type Objection,
} from "./proof-of-identity.ts";

export interface DialTarget {
  readonly nodeId: number;
  readonly address: string;
  readonly channel: PeerChannel;
  /** Of the method in raft.proto. */
  readonly path: string;
}

export interface DialledChannelOwner {
  readonly secret: Uint8Array | null;
  identity(): Identity | null;
  /** False: not now; `dialSoon` will be called when there is a reason to. */
  mayDial(channel: DialledChannel): boolean;
  /** The peer is who it should be: its frames follow. */
  onProven(channel: DialledChannel): void;
  onFrame(channel: DialledChannel, payload: Uint8Array): void;
  /** A proven stream was lost, or an attempt to dial failed; the next attempt is scheduled. */
  onLost(channel: DialledChannel, loss: DialLoss): void;
  onRefusal(channel: DialledChannel, by: "here" | "there", objection: Objection): void;
}

/** `refused`: nobody listens at the address. `silent`: no answer in time. `objected`: one side does not accept the other. */
export type DialLoss = "reset" | "refused" | "silent" | "objected";

// A peer that restarts dials us itself, which calls `dialSoon`: so even the longest delay costs little.
const REDIAL_DELAYS_MS = [10, 50, 100, 100, 100, 150, 150, 200, 200, 300, 500, 1_000];
const OBJECTED_DELAY_MS = 1_000;
const PROVEN_WITHIN_MS = 2_000;
// An attempt this old that has got no answer may hang on a machine that is gone: a sign of life is worth a new one.
const STALE_ATTEMPT_MS = 200;

type PeerCall = ClientDuplexStream<OutgoingFrame, IncomingFrame>;

export class DialledChannel {
  readonly target: DialTarget;
  readonly #owner: DialledChannelOwner;
  #client: Client | null;
  #call: PeerCall | null;
  #hello: Handshake | null;
  #isProven: boolean;
  #peerIncarnation: number;
  #dialledAtMs: number;
  #isClosed: boolean;
  #failures: number;
  #timer: NodeJS.Timeout | null;

  constructor(owner: DialledChannelOwner, target: DialTarget) {
    this.target = target;
    this.#owner = owner;
    this.#client = null;
    this.#call = null;
    this.#hello = null;
    this.#isProven = false;
    this.#peerIncarnation = 0;
    this.#dialledAtMs = 0;
    this.#isClosed = false;
    this.#failures = 0;
    this.#timer = null;
  }

  get isProven(): boolean {
    return this.#isProven;
  }

  /** Dials now unless it is dialling or connected: at the start, and on signs that the peer lives, in `peerIncarnation` or a later one. */
  dialSoon(peerIncarnation: number): void {
    if (this.#isClosed) return;
    if (this.#isProven && this.#peerIncarnation >= peerIncarnation) return;
    if (this.#call !== null && !this.#isProven && performance.now() - this.#dialledAtMs < STALE_ATTEMPT_MS) return;
    this.#release();
    this.#failures = 0;
    this.#schedule(0);
  }

  close(): void {
    this.#isClosed = true;
    this.#release();
  }

  #schedule(delayMs: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#dial(), delayMs);
  }

  #dial(): void {
    this.#timer = null;
    const identity = this.#owner.identity();
    if (this.#isClosed || identity === null || !this.#owner.mayDial(this)) return;
    const client = new Client(this.target.address, credentials.createInsecure(), peerChannelOptions);
    const call: PeerCall = client.makeBidiStreamRequest(this.target.path, encodeFrame, decodeFrame);
    this.#client = client;
    this.#call = call;
    this.#timer = setTimeout(() => this.#lost("silent"), PROVEN_WITHIN_MS);
    call.on("data", (frame: IncomingFrame) => {
      if (this.#call === call) this.#received(identity, frame);
    });
    call.on("status", (outcome: StatusObject) => {
      if (this.#call === call) this.#lost(lossOf(outcome));
    });
    // The status tells the same, and always comes; without a listener the error would be thrown.
    call.on("error", (error: StatusObject & Error) => {
      if (this.#call === call) this.#lost(lossOf(error));
    });
    this.#dialledAtMs = performance.now();
    this.#hello = handshakeOf(identity, freshNonce(), new Uint8Array(0));
    call.write(handshakeFrame(this.#hello));
  }

  #received(identity: Identity, frame: IncomingFrame): void {
    if (this.#isProven && frame.payload !== null) {
      this.#owner.onFrame(this, frame.payload);
      return;
    }
    const acceptor = frame.handshake;
    if (acceptor === null) return this.#refuse("payload before the proof");
    if (acceptor.refused !== "") {
      this.#owner.onRefusal(this, "there", { to: "protocol", reason: acceptor.refused });
      return this.#lost("objected");
    }
    if (this.#isProven) return this.#refuse("handshake after the handshake");
    this.#receivedProof(identity, acceptor);
  }

  #receivedProof(identity: Identity, acceptor: Handshake): void {
    const dialler = this.#hello!;
    const { nodeId, address, path } = this.target;
    let objection = objectionTo(identity, acceptor);
    if (objection === null && acceptor.nodeId !== nodeId) {
      objection = { to: "nodeId", reason: `node ${acceptor.nodeId} answers at ${address}, not node ${nodeId}` };
    }
    if (objection === null) {
      const expected = proofOf(this.#owner.secret, "acceptor", path, { dialler, acceptor });
      const reason = objectionToProof(expected, acceptor.proof);
      if (reason !== null) objection = { to: "secret", reason };
    }
    if (objection !== null) return this.#refuse(objection.reason, objection.to);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const proof = proofOf(this.#owner.secret, "dialler", path, { dialler, acceptor });
    this.#call!.write(handshakeFrame({ ...dialler, proof }));
    this.#isProven = true;
    this.#peerIncarnation = acceptor.incarnation;
    this.#owner.onProven(this);
  }

  #refuse(reason: string, to: PeerObjection = "protocol"): void {
    const call = this.#call!;
    const client = this.#client!;
    // Let go without cancelling, so that the reason reaches the other side before the end does.
    this.#call = null;
    this.#client = null;
    call.write(handshakeFrame(refusal(reason)));
    call.end();
    client.close();
    this.#owner.onRefusal(this, "here", { to, reason });
    this.#lost("objected");
  }

  #lost(loss: DialLoss): void {
    const wasProven = this.#isProven;
    this.#release();
    if (this.#isClosed) return;
    if (wasProven && loss !== "objected") this.#failures = 0;
    const step = Math.min(this.#failures, REDIAL_DELAYS_MS.length - 1);
    this.#failures++;
    this.#schedule(loss === "objected" ? OBJECTED_DELAY_MS : REDIAL_DELAYS_MS[step]!);
    this.#owner.onLost(this, loss);
  }

  #release(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const call = this.#call;
    const client = this.#client;
    this.#timer = null;
    this.#call = null;
    this.#client = null;
    this.#isProven = false;
    call?.cancel();
    client?.close();
  }
}

/** gRPC has one code for every kind of lost connection; the text holds the system's error. */
function lossOf(outcome: StatusObject): DialLoss {
  if (outcome.code === status.UNAVAILABLE && outcome.details.includes("ECONNREFUSED")) return "refused";
  if (outcome.details.includes("No connection established")) return "silent";
  return "reset";
}
