/**
 * Who is at the other end: the first four frames of a link, as two state machines without a clock or a socket.
 *
 *   gateway                                   node
 *   Hello {nonce g, …}            ──────►
 *                                 ◄──────     Challenge {nonce n, proof = HMAC(secret, "node" g n cluster nodeId)}
 *   Proof {HMAC(secret, "gateway" g n …)} ──►
 *                                 ◄──────     Welcome {credits}     (or Reject {reason} at any point)
 *
 * Both proofs cover both nonces, the role and the identities, so that neither can be replayed or reflected. Without a secret the proofs are
 * empty (then only loopback is bound, see the launcher). A side that has no secret refuses one that has, and the other way round.
 */
import { bytesOf, utf8, utf8Bytes } from "@headrace/bytes";
import type { ByteWriter } from "@headrace/bytes";
import { FrameType, LINK_MAGIC, LINK_VERSION } from "./frame.ts";
import type { Frame } from "./frame-reader.ts";
import { writeFrame } from "./frame-writer.ts";

const MAX_JSON_BYTES = 4096;
const OLDEST_VERSION = 1;

/** The `Digest` port's function, passed in because this room imports no ports. */
export type HmacSha256 = (key: Uint8Array, data: Uint8Array) => Uint8Array;

export interface HandshakeSecurity {
  /** null or empty: no secret is configured. */
  readonly secret: Uint8Array | null;
  readonly hmacSha256: HmacSha256;
  /** Unpredictable, at least 16 bytes in hex; new for each connection. */
  readonly nonce: string;
}

export interface GatewayIdentity {
  /** Empty: not known yet, any cluster is taken. */
  readonly clusterId: string;
  readonly gatewayId: string;
  readonly incarnation: number;
  readonly featureLevel: number;
}

export interface NodeIdentity {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly incarnation: number;
  readonly featureLevel: number;
}

export interface LinkCredits {
  readonly laneCreditBytes: number;
  readonly linkCreditBytes: number;
}

export type HandshakeState = "waiting" | "ready" | "failed";

/** The gateway's side. Feed it every frame until it is `ready` or `failed`. */
export class GatewayHandshake {
  state: HandshakeState = "waiting";
  /** Why it failed, for the log. */
  failure: string = "";
  /** Set when ready. */
  node: NodeIdentity | null = null;
  credits: LinkCredits | null = null;

  readonly #identity: GatewayIdentity;
  readonly #expectedNodeId: number;
  readonly #security: HandshakeSecurity;

  /** `expectedNodeId` 0: any node. */
  constructor(identity: GatewayIdentity, expectedNodeId: number, security: HandshakeSecurity) {
    this.#identity = identity;
    this.#expectedNodeId = expectedNodeId;
    this.#security = security;
  }

  /** Magic and Hello. */
  begin(out: ByteWriter): void {
    out.all(LINK_MAGIC);
    writeJson(out, FrameType.Hello, {
      versions: [OLDEST_VERSION, LINK_VERSION],
      ...this.#identity,
      nonce: this.#security.nonce,
    });
  }

  onFrame(frame: Frame, out: ByteWriter): HandshakeState {
    if (this.state !== "waiting") return this.state;
    const body = readJson(frame);
    if (body === null) return this.#fail("malformed handshake");
    if (frame.type === FrameType.Reject) return this.#fail(`rejected: ${textOf(body["reason"])}`);
    if (frame.type === FrameType.Challenge && this.node === null) return this.#onChallenge(body, out);
    if (frame.type === FrameType.Welcome && this.node !== null) return this.#onWelcome(body);
    return this.#fail(`unexpected frame ${frame.type} in the handshake`);
  }

  #onChallenge(body: Record<string, unknown>, out: ByteWriter): HandshakeState {
    const node = nodeIdentityOf(body);
    const nonce = textOf(body["nonce"]);
    if (node === null || body["version"] !== LINK_VERSION || nonce === "") return this.#fail("malformed challenge");
    if (this.#identity.clusterId !== "" && node.clusterId !== this.#identity.clusterId) {
      return this.#fail(`node belongs to cluster ${node.clusterId}, not to ${this.#identity.clusterId}`);
    }
    if (this.#expectedNodeId !== 0 && node.nodeId !== this.#expectedNodeId) {
      return this.#fail(`node ${node.nodeId} answered where ${this.#expectedNodeId} was expected`);
    }
    const expected = proofOf(this.#security, "node", this.#security.nonce, nonce, node);
    if (!sameText(expected, textOf(body["proof"]))) return this.#fail("node does not know the cluster's secret");
    this.node = node;
    writeJson(out, FrameType.Proof, { proof: proofOf(this.#security, "gateway", this.#security.nonce, nonce, node) });
    return this.state;
  }

  #onWelcome(body: Record<string, unknown>): HandshakeState {
    const laneCreditBytes = countOf(body["laneCreditBytes"]);
    const linkCreditBytes = countOf(body["linkCreditBytes"]);
    if (laneCreditBytes <= 0 || linkCreditBytes <= 0) return this.#fail("malformed welcome");
    this.credits = { laneCreditBytes, linkCreditBytes };
    this.state = "ready";
    return this.state;
  }

  #fail(failure: string): HandshakeState {
    this.failure = failure;
    this.state = "failed";
    return this.state;
  }
}

/** The node's side. On `failed` a Reject has been written: send it, then close. */
export class NodeHandshake {
  state: HandshakeState = "waiting";
  failure: string = "";
  /** Set with the Hello. */
  gateway: GatewayIdentity | null = null;

  readonly #identity: NodeIdentity;
  readonly #credits: LinkCredits;
  readonly #security: HandshakeSecurity;
  #expectedProof: string = "";

  constructor(identity: NodeIdentity, credits: LinkCredits, security: HandshakeSecurity) {
    this.#identity = identity;
    this.#credits = credits;
    this.#security = security;
  }

  onFrame(frame: Frame, out: ByteWriter): HandshakeState {
    if (this.state !== "waiting") return this.state;
    const body = readJson(frame);
    if (body === null) return this.#fail("malformed handshake", out);
    if (frame.type === FrameType.Hello && this.gateway === null) return this.#onHello(body, out);
    if (frame.type === FrameType.Proof && this.gateway !== null) return this.#onProof(body, out);
    return this.#fail(`unexpected frame ${frame.type} in the handshake`, out);
  }

  #onHello(body: Record<string, unknown>, out: ByteWriter): HandshakeState {
    const versions = body["versions"];
    const nonce = textOf(body["nonce"]);
    const incarnation = countOf(body["incarnation"]);
    const featureLevel = countOf(body["featureLevel"]);
    const clusterId = body["clusterId"];
    if (
      !Array.isArray(versions) ||
      versions.length !== 2 ||
      typeof clusterId !== "string" ||
      incarnation < 0 ||
      featureLevel < 0 ||
      nonce.length < 16
    ) {
      return this.#fail("malformed hello", out);
    }
    if (!(countOf(versions[0]) <= LINK_VERSION && countOf(versions[1]) >= LINK_VERSION)) {
      return this.#fail(`no common protocol version: this node speaks ${LINK_VERSION}`, out);
    }
    if (clusterId !== "" && clusterId !== this.#identity.clusterId) {
      return this.#fail(`this node belongs to cluster ${this.#identity.clusterId}`, out);
    }
    this.gateway = { clusterId, gatewayId: textOf(body["gatewayId"]), incarnation, featureLevel };
    const own = this.#security.nonce;
    this.#expectedProof = proofOf(this.#security, "gateway", nonce, own, this.#identity);
    writeJson(out, FrameType.Challenge, {
      version: LINK_VERSION,
      ...this.#identity,
      nonce: own,
      proof: proofOf(this.#security, "node", nonce, own, this.#identity),
    });
    return this.state;
  }

  #onProof(body: Record<string, unknown>, out: ByteWriter): HandshakeState {
    if (!sameText(this.#expectedProof, textOf(body["proof"]))) {
      return this.#fail("gateway does not know the cluster's secret", out);
    }
    writeJson(out, FrameType.Welcome, { ...this.#credits });
    this.state = "ready";
    return this.state;
  }

  #fail(failure: string, out: ByteWriter): HandshakeState {
    this.failure = failure;
    this.state = "failed";
    writeJson(out, FrameType.Reject, { reason: failure });
    return this.state;
  }
}

function writeJson(out: ByteWriter, type: FrameType, body: Record<string, unknown>): void {
  writeFrame(out, type, 0, 0, utf8Bytes(JSON.stringify(body)));
}

function readJson(frame: Frame): Record<string, unknown> | null {
  if (frame.end - frame.start > MAX_JSON_BYTES) return null;
  try {
    const body: unknown = JSON.parse(utf8(frame.bytes.subarray(frame.start, frame.end)));
    return isObject(body) ? body : null;
  } catch {
    // JSON.parse has no other way to say that a peer sent nonsense; the caller ends the link with a reason.
    return null;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function nodeIdentityOf(body: Record<string, unknown>): NodeIdentity | null {
  const clusterId = textOf(body["clusterId"]);
  const nodeId = countOf(body["nodeId"]);
  const incarnation = countOf(body["incarnation"]);
  const featureLevel = countOf(body["featureLevel"]);
  if (clusterId === "" || nodeId <= 0 || incarnation < 0 || featureLevel < 0) return null;
  return { clusterId, nodeId, incarnation, featureLevel };
}

function proofOf(
  security: HandshakeSecurity,
  role: "gateway" | "node",
  gatewayNonce: string,
  nodeNonce: string,
  node: NodeIdentity,
): string {
  if (security.secret === null || security.secret.length === 0) return "";
  // JSON keeps the parts apart whatever they contain.
  const text = JSON.stringify([
    "headrace-link",
    LINK_VERSION,
    role,
    gatewayNonce,
    nodeNonce,
    node.clusterId,
    node.nodeId,
  ]);
  return hex(security.hmacSha256(security.secret, bytesOf(text)));
}

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}

/** Compares without telling by its duration where the first difference is. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) ? value : -1;
}
