/**
 * The server's end of one stream that a peer has dialled: proves both sides, then carries this node's frames to that peer, within a byte
 * budget. It knows nothing of the peer's other streams (peer-links.ts does).
 */
import { status, type ServerDuplexStream } from "@grpc/grpc-js";
import type { PeerChannel, PeerObjection } from "@headrace/ports";
import { handshakeFrame, OutgoingFrame, type Handshake, type IncomingFrame } from "./peer-frame.ts";
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

export type AcceptedCall = ServerDuplexStream<IncomingFrame, OutgoingFrame>;

export interface AcceptedStreamOwner {
  readonly secret: Uint8Array | null;
  identity(): Identity | null;
  /** The dialler has proven who it is; from now on frames may be sent. Null, or why its incarnation is over. */
  onProven(stream: AcceptedStream): string | null;
  onLost(stream: AcceptedStream): void;
  /** After `send` had returned false: at least half of the budget is free. */
  onWritable(stream: AcceptedStream): void;
  /** One side refused the other. */
  onRefusal(stream: AcceptedStream, by: "here" | "there", objection: Objection): void;
}

const PROOF_TIMEOUT_MS = 5_000;
// What a queued frame costs beside its payload, so that a queue of empty frames is bounded too.
const FRAME_COST_BYTES = 256;

type Phase = "hello" | "proof" | "proven" | "lost";

export class AcceptedStream {
  readonly channel: PeerChannel;
  readonly remoteAddress: string;
  peerNodeId: number;
  peerIncarnation: number;
  readonly #owner: AcceptedStreamOwner;
  readonly #call: AcceptedCall;
  readonly #budgetBytes: number;
  readonly #proofTimer: NodeJS.Timeout;
  #phase: Phase;
  #dialler: Handshake | null;
  #acceptor: Handshake | null;
  #queuedBytes: number;
  #hasRefusedFrame: boolean;
  // Sizes of the queued frames in order: one callback for all instead of a closure for each.
  readonly #queuedSizes: number[];
  readonly #onWritten: (error?: Error | null) => void;

  constructor(owner: AcceptedStreamOwner, call: AcceptedCall, channel: PeerChannel, budgetBytes: number) {
    this.channel = channel;
    this.remoteAddress = call.getPeer();
    this.peerNodeId = 0;
    this.peerIncarnation = 0;
    this.#owner = owner;
    this.#call = call;
    this.#budgetBytes = budgetBytes;
    this.#phase = "hello";
    this.#dialler = null;
    this.#acceptor = null;
    this.#queuedBytes = 0;
    this.#hasRefusedFrame = false;
    this.#queuedSizes = [];
    this.#onWritten = (error) => this.#written(error);
    this.#proofTimer = setTimeout(() => this.#refuse("no proof of identity in time", "secret"), PROOF_TIMEOUT_MS);
    call.on("data", (frame: IncomingFrame) => this.#received(frame));
    // Each of them can be the first sign of the end; a killed peer shows as `cancelled` within the same millisecond as its reset.
    const lost = (): void => this.#lost();
    call.on("cancelled", lost);
    call.on("error", lost);
    call.on("end", lost);
    call.on("close", lost);
  }

  get isProven(): boolean {
    return this.#phase === "proven";
  }

  /** False: not up or over the budget, the frame was dropped. */
  send(chunks: readonly Uint8Array[]): boolean {
    if (this.#phase !== "proven") return false;
    let payloadBytes = 0;
    for (const chunk of chunks) payloadBytes += chunk.length;
    const chargedBytes = payloadBytes + FRAME_COST_BYTES;
    // While half of the budget is free a frame of any size is taken: one larger than the budget would never find its turn otherwise.
    if (this.#queuedBytes + chargedBytes > this.#budgetBytes && !this.#isHalfFree()) {
      this.#hasRefusedFrame = true;
      return false;
    }
    this.#queuedBytes += chargedBytes;
    this.#queuedSizes.push(chargedBytes);
    this.#call.write(new OutgoingFrame(null, chunks, payloadBytes), this.#onWritten);
    return true;
  }

  /** Ends the stream from this side; `onLost` is not called. */
  drop(reason: string): void {
    if (this.#phase === "lost") return;
    this.#enterLost();
    this.#call.emit("error", { code: status.ABORTED, details: reason });
  }

  #isHalfFree(): boolean {
    return this.#queuedBytes * 2 <= this.#budgetBytes;
  }

  #written(error?: Error | null): void {
    this.#queuedBytes -= this.#queuedSizes.shift() ?? 0;
    if (error || !this.#hasRefusedFrame || this.#phase !== "proven") return;
    if (!this.#isHalfFree()) return;
    this.#hasRefusedFrame = false;
    this.#owner.onWritable(this);
  }

  #received(frame: IncomingFrame): void {
    if (this.#phase === "lost") return;
    const handshake = frame.handshake;
    if (handshake === null) return this.#refuse("payload on the dialled direction");
    if (handshake.refused !== "") {
      this.#owner.onRefusal(this, "there", { to: "protocol", reason: handshake.refused });
      return this.#lost();
    }
    if (this.#phase === "hello") return this.#receivedHello(handshake);
    if (this.#phase === "proof") return this.#receivedProof(handshake);
    this.#refuse("handshake after the handshake");
  }

  #receivedHello(dialler: Handshake): void {
    const identity = this.#owner.identity();
    if (identity === null) return this.#refuse("this node has no identity yet", "clusterId");
    this.peerNodeId = dialler.nodeId;
    this.peerIncarnation = dialler.incarnation;
    const objection = objectionTo(identity, dialler);
    if (objection !== null) return this.#refuse(objection.reason, objection.to);
    const nonce = freshNonce();
    const unproven = handshakeOf(identity, nonce, new Uint8Array(0));
    const proof = proofOf(this.#owner.secret, "acceptor", this.#call.getPath(), { dialler, acceptor: unproven });
    this.#dialler = dialler;
    this.#acceptor = unproven;
    this.#phase = "proof";
    this.#call.write(handshakeFrame(handshakeOf(identity, nonce, proof)));
  }

  #receivedProof(handshake: Handshake): void {
    const dialler = this.#dialler!;
    const acceptor = this.#acceptor!;
    const expected = proofOf(this.#owner.secret, "dialler", this.#call.getPath(), { dialler, acceptor });
    const objection = objectionToProof(expected, handshake.proof);
    if (objection !== null) return this.#refuse(objection, "secret");
    clearTimeout(this.#proofTimer);
    this.#phase = "proven";
    const unwanted = this.#owner.onProven(this);
    if (unwanted !== null) this.#refuse(unwanted, "incarnation");
  }

  #refuse(reason: string, to: PeerObjection = "protocol"): void {
    if (this.#phase === "lost") return;
    this.#call.write(handshakeFrame(refusal(reason)));
    this.#owner.onRefusal(this, "here", { to, reason });
    this.#lost();
  }

  #lost(): void {
    if (this.#phase === "lost") return;
    this.#enterLost();
    this.#owner.onLost(this);
    // Half-closed by the dialler: nothing is left to say. Ending an ended or destroyed call does nothing.
    this.#call.end();
  }

  #enterLost(): void {
    clearTimeout(this.#proofTimer);
    this.#phase = "lost";
    this.#queuedSizes.length = 0;
    this.#queuedBytes = 0;
  }
}
