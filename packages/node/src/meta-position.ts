/**
 * The record "metadata": where this node's metadata stands and what it is.
 *
 *   {"formatVersion":1,"index":9,"term":2,"members":{…},"state":{…},"put":true,"crc32":"…"}
 *
 * `put`: it did not grow out of this node's own log (founding, an installed snapshot); see log-meeting.ts.
 */
import { clusterStateFromJson, clusterStateToJson, MetaFormatError } from "@headrace/meta";
import type { ClusterState } from "@headrace/meta";
import type { Done, RecordStore } from "@headrace/ports";
import type { ConfState } from "@headrace/raft-ts";
import type { CheckpointPosition } from "./raft-log.ts";
import { decodeRecord, encodeRecord } from "./record-json.ts";
import type { Loaded } from "./identity.ts";

export const METADATA_RECORD = "metadata";

export interface MetaPosition {
  readonly position: CheckpointPosition;
  readonly state: ClusterState;
  readonly isPut: boolean;
}

export function encodeMetaPosition(meta: MetaPosition): Uint8Array {
  return encodeRecord({
    index: meta.position.index,
    term: meta.position.term,
    members: meta.position.confState,
    state: clusterStateToJson(meta.state),
    ...(meta.isPut === true ? { put: true } : {}),
  });
}

/** What the record "metadata" holds, null when there is none. Nodes that are no members store what they have heard as index 0. */
export function loadMetaPosition(records: RecordStore, done: (loaded: Loaded<MetaPosition | null>) => void): void {
  records.read(METADATA_RECORD, (result) => {
    if (result.ok) return done(result.value === null ? { ok: true, value: null } : decodeMetaPosition(result.value));
    done(failed("io", `can't be read: ${result.message}`));
  });
}

export function decodeMetaPosition(record: Uint8Array): Loaded<MetaPosition> {
  const decoded = decodeRecord(record);
  if (decoded.kind === "newer") return failed("newer", `has format ${decoded.formatVersion}, of a newer headrace`);
  if (decoded.kind === "damaged") return failed("damaged", decoded.message);
  const { index, term, members, state, put } = decoded.fields;
  if (typeof index !== "number" || typeof term !== "number") return failed("damaged", "has no position");
  try {
    const parsed = clusterStateFromJson(state);
    const confState = confStateOf(members);
    return { ok: true, value: { position: { index, term, confState }, state: parsed, isPut: put === true } };
  } catch (error) {
    if (!(error instanceof MetaFormatError)) throw error;
    return failed("damaged", error.message);
  }
}

function failed(reason: "io" | "damaged" | "newer", message: string): Loaded<never> {
  return { ok: false, failure: { reason, message: `record ${METADATA_RECORD} ${message}` } };
}

/** Stores the state for the next start; for founding and for nodes that only watch. */
export function storeMetaPosition(records: RecordStore, meta: MetaPosition, done: Done<void>): void {
  records.write(METADATA_RECORD, encodeMetaPosition(meta), done);
}

export function votersOnly(replicaIds: readonly number[]): ConfState {
  return { voters: replicaIds, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
}

function confStateOf(value: unknown): ConfState {
  const fields = value as Partial<Record<keyof ConfState, unknown>> | null;
  const list = (name: "voters" | "votersOutgoing" | "learners" | "learnersNext"): number[] => {
    const ids = fields?.[name];
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === "number"))
      throw new MetaFormatError(`${name} is no list`);
    return ids;
  };
  return {
    voters: list("voters"),
    votersOutgoing: list("votersOutgoing"),
    learners: list("learners"),
    learnersNext: list("learnersNext"),
    autoLeave: fields?.autoLeave === true,
  };
}
