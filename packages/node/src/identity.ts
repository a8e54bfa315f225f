/**
 * Who a node is: the record "identity" in its data directory. Written once when the cluster is founded or joined, and at every start with
 * the next incarnation. A directory without it is empty and may be founded or joined; one with a foreign, damaged or newer record is
 * refused: a node never guesses under which id it has voted.
 *
 *   {"formatVersion":1,"clusterId":"…","nodeId":2,"incarnation":7,"opened":true,"foundedWith":{"nodes":3,"shards":8,"replicas":3},"crc32":"…"}
 *
 * `opened` turns true once log and store hold the first state of every group that the node was founded with. From then on a group that
 * is missing from either is damage, not a new beginning.
 */
import type { Done, RecordStore } from "@headrace/ports";
import { decodeRecord, encodeRecord } from "./record-json.ts";

export interface FoundedWith {
  readonly nodes: number;
  readonly shards: number;
  readonly replicas: number;
}

export interface Identity {
  readonly clusterId: string;
  readonly nodeId: number;
  /** Differs after each start; ascending. */
  readonly incarnation: number;
  readonly opened: boolean;
  /** null: joined a cluster that others had founded. */
  readonly foundedWith: FoundedWith | null;
}

/** Why a node can't start. One clear line for people in `message`. */
export interface StartFailure {
  readonly reason: "foreign" | "newer" | "damaged" | "contradiction" | "backup" | "io" | "bind" | "config";
  readonly message: string;
}

export type Loaded<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: StartFailure };

export const IDENTITY_RECORD = "identity";

/** Reads the identity, null when the directory has none. */
export function loadIdentity(records: RecordStore, done: (loaded: Loaded<Identity | null>) => void): void {
  records.read(IDENTITY_RECORD, (result) => {
    if (!result.ok) {
      done({ ok: false, failure: { reason: "io", message: `identity can't be read: ${result.message}` } });
    } else if (result.value === null) {
      done({ ok: true, value: null });
    } else {
      done(parseIdentity(result.value));
    }
  });
}

export function storeIdentity(records: RecordStore, identity: Identity, done: Done<void>): void {
  records.write(IDENTITY_RECORD, encodeRecord({ ...identity }), done);
}

export function parseIdentity(bytes: Uint8Array): Loaded<Identity | null> {
  const decoded = decodeRecord(bytes);
  if (decoded.kind === "newer") {
    const message = `the data directory has format ${decoded.formatVersion}, written by a newer headrace`;
    return { ok: false, failure: { reason: "newer", message } };
  }
  if (decoded.kind === "damaged") {
    return { ok: false, failure: { reason: "damaged", message: `the data directory's identity ${decoded.message}` } };
  }
  const { clusterId, nodeId, incarnation, opened, foundedWith } = decoded.fields;
  if (
    typeof clusterId !== "string" ||
    clusterId === "" ||
    !isCount(nodeId) ||
    !isCount(incarnation) ||
    typeof opened !== "boolean"
  ) {
    const message = "the data directory's identity is not one of a headrace node";
    return { ok: false, failure: { reason: "foreign", message } };
  }
  return { ok: true, value: { clusterId, nodeId, incarnation, opened, foundedWith: foundedWithOf(foundedWith) } };
}

/** Flags that contradict what the directory was founded with; null when they agree or say nothing. */
export function contradiction(
  identity: Identity,
  asked: { readonly shards: number | null; readonly replicas: number | null },
): StartFailure | null {
  const founded = identity.foundedWith;
  if (founded === null) return null;
  // More replicas than nodes can't be had: asking for them again is no contradiction.
  const replicas = asked.replicas === null ? null : Math.min(asked.replicas, founded.nodes);
  const differs = (what: "shards" | "replicas", value: number | null): StartFailure | null =>
    value === null || value === founded[what]
      ? null
      : {
          reason: "contradiction",
          message: `this cluster was founded with ${founded[what]} ${what}, not ${value}: the setting can't be changed afterwards`,
        };
  return differs("shards", asked.shards) ?? differs("replicas", replicas);
}

function foundedWithOf(value: unknown): FoundedWith | null {
  if (typeof value !== "object" || value === null) return null;
  const { nodes, shards, replicas } = value as Record<string, unknown>;
  return isCount(nodes) && isCount(shards) && isCount(replicas) ? { nodes, shards, replicas } : null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0;
}
