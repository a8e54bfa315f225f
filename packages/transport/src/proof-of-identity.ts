/**
 * Who is on the other side of a gRPC stream: checks of the handshake and the keyed digests. Pure but for nonces. Four frames:
 *
 *   dialler  → acceptor   Handshake{ids, nonce D}
 *   acceptor → dialler    Handshake{ids, nonce A, proof over both nonces}          the dialler knows the acceptor
 *   dialler  → acceptor   Handshake{ids, nonce D, proof over both nonces}          the acceptor knows the dialler; its frames follow
 *
 * or from either side, at any time, Handshake{refused} and the end. The role is part of the digest so that no proof can be played back
 * in the other direction.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { PeerObjection } from "@headrace/ports";
import type { Handshake } from "./peer-frame.ts";
import type { ProofMessage } from "./proto-contract.ts";

export const PROTOCOL_VERSION_MIN = 1;
export const PROTOCOL_VERSION_MAX = 1;
export const FEATURE_LEVEL = 1;
const NONCE_BYTES = 16;
const NO_BYTES = Buffer.alloc(0);

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: number;
  readonly incarnation: number;
}

export type Role = "dialler" | "acceptor";

export function freshNonce(): Buffer {
  return randomBytes(NONCE_BYTES);
}

export function handshakeOf(identity: Identity, nonce: Uint8Array, proof: Uint8Array): Handshake {
  return {
    versionMin: PROTOCOL_VERSION_MIN,
    versionMax: PROTOCOL_VERSION_MAX,
    clusterId: identity.clusterId,
    nodeId: identity.nodeId,
    incarnation: identity.incarnation,
    featureLevel: FEATURE_LEVEL,
    nonce,
    proof,
    refused: "",
  };
}

export function refusal(reason: string): Handshake {
  return {
    versionMin: PROTOCOL_VERSION_MIN,
    versionMax: PROTOCOL_VERSION_MAX,
    clusterId: "",
    nodeId: 0,
    incarnation: 0,
    featureLevel: 0,
    nonce: NO_BYTES,
    proof: NO_BYTES,
    refused: reason,
  };
}

/** Why the other side is not talked to: for counting, and for people. */
export interface Objection {
  readonly to: PeerObjection;
  readonly reason: string;
}

/** Why the other side may not be talked to, or null. Proofs are checked apart. */
export function objectionTo(mine: Identity, theirs: Handshake): Objection | null {
  if (theirs.versionMax < PROTOCOL_VERSION_MIN || theirs.versionMin > PROTOCOL_VERSION_MAX) {
    const reason = `protocol versions ${theirs.versionMin}-${theirs.versionMax} and ${PROTOCOL_VERSION_MIN}-${PROTOCOL_VERSION_MAX} have none in common`;
    return { to: "version", reason };
  }
  if (theirs.clusterId !== mine.clusterId) {
    return { to: "clusterId", reason: `cluster id ${theirs.clusterId} is not ${mine.clusterId}` };
  }
  if (theirs.nodeId === mine.nodeId) {
    return { to: "nodeId", reason: `node id ${theirs.nodeId} is taken by the node itself` };
  }
  if (theirs.nonce.length !== NONCE_BYTES) return { to: "protocol", reason: `nonce of ${theirs.nonce.length} bytes` };
  return null;
}

/** `by` is the one who proves, to the other one of the two. Empty without a secret. */
export function proofOf(
  secret: Uint8Array | null,
  by: Role,
  path: string,
  both: { readonly dialler: Handshake; readonly acceptor: Handshake },
): Uint8Array {
  if (secret === null) return NO_BYTES;
  const { dialler, acceptor } = both;
  return createHmac("sha256", secret)
    .update(`headrace-peer\n${by}\n${path}\n${dialler.clusterId}\n`)
    .update(`${dialler.nodeId} ${dialler.incarnation}\n${acceptor.nodeId} ${acceptor.incarnation}\n`)
    .update(dialler.nonce)
    .update(acceptor.nonce)
    .digest();
}

/** Why the proof does not hold, or null. */
export function objectionToProof(expected: Uint8Array, given: Uint8Array): string | null {
  if (expected.length === 0)
    return given.length === 0 ? null : "the other side has a cluster secret, this side has none";
  if (given.length === 0) return "no proof of the cluster secret given";
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return "wrong cluster secret";
  return null;
}

/** A request to the meta service is proven by itself: who asks need not be a node. Binds the content, too. */
export function proveRequest(secret: Uint8Array | null, content: string): ProofMessage | null {
  if (secret === null) return null;
  const nonce = freshNonce();
  const unixMs = Date.now();
  return { nonce, unixMs, digest: requestDigest(secret, nonce, unixMs, content) };
}

// Wide, since clocks of operators' machines are off by minutes; a replay within it can only repeat the same request.
const PROOF_AGE_MAX_MS = 300_000;

export function objectionToRequest(
  secret: Uint8Array | null,
  proof: ProofMessage | null,
  content: string,
): string | null {
  if (secret === null) return null;
  if (proof === null || proof.digest.length === 0) return "no proof of the cluster secret given";
  const objection = objectionToProof(requestDigest(secret, proof.nonce, proof.unixMs, content), proof.digest);
  if (objection !== null) return objection;
  const ageMs = Math.abs(Date.now() - proof.unixMs);
  return ageMs > PROOF_AGE_MAX_MS ? `clocks differ by ${Math.round(ageMs / 1000)} s` : null;
}

function requestDigest(secret: Uint8Array, nonce: Uint8Array, unixMs: number, content: string): Buffer {
  return createHmac("sha256", secret).update(`headrace-meta\n${unixMs}\n`).update(nonce).update(content).digest();
}
