/**
 * Which replicas this node has, durably: the record "replicas". The metadata says what should be here; this says what is, and what has been: a node
 * that starts with an old view of the metadata must not bring a replica to life that it has deleted.
 *
 *   {"formatVersion":1,"groups":[{"groupId":3,"replicaId":17,"stage":"open"}, …],"crc32":"…"}
 *
 *   opening   nothing of it has left this node yet: begun again from nothing after a crash
 *   open      what is missing of it is damage
 *   removing  its data is being deleted
 *   gone      deleted; for this group only a higher replica id is ever opened here
 */
import type { Done, RecordStore } from "@headrace/ports";
import type { Loaded } from "./identity.ts";
import { decodeRecord, encodeRecord } from "./record-json.ts";

export const REPLICAS_RECORD = "replicas";

const stages = ["opening", "open", "removing", "gone"] as const;
export type ReplicaStage = (typeof stages)[number];

export interface OwnReplica {
  readonly groupId: number;
  readonly replicaId: number;
  readonly stage: ReplicaStage;
}

/** Null: the directory has no such record yet. */
export function loadReplicas(records: RecordStore, done: (loaded: Loaded<readonly OwnReplica[] | null>) => void): void {
  const fail = (reason: "io" | "damaged" | "newer", message: string): void =>
    done({ ok: false, failure: { reason, message: `record ${REPLICAS_RECORD} ${message}` } });
  records.read(REPLICAS_RECORD, (result) => {
    if (!result.ok) return fail("io", `can't be read: ${result.message}`);
    if (result.value === null) return done({ ok: true, value: null });
    const decoded = decodeRecord(result.value);
    if (decoded.kind === "newer") return fail("newer", `has format ${decoded.formatVersion}, of a newer headrace`);
    if (decoded.kind === "damaged") return fail("damaged", decoded.message);
    const own = parseReplicas(decoded.fields["groups"]);
    if (own === null) return fail("damaged", "is no list of replicas");
    done({ ok: true, value: own });
  });
}

export function storeReplicas(records: RecordStore, own: readonly OwnReplica[], done: Done<void>): void {
  const groups = [...own].sort((a, b) => a.groupId - b.groupId);
  records.write(REPLICAS_RECORD, encodeRecord({ groups }), done);
}

function parseReplicas(value: unknown): readonly OwnReplica[] | null {
  if (!Array.isArray(value)) return null;
  const own: OwnReplica[] = [];
  for (const each of value as readonly unknown[]) {
    if (typeof each !== "object" || each === null) return null;
    const { groupId, replicaId, stage } = each as Record<string, unknown>;
    const known = stages.find((name) => name === stage);
    if (typeof groupId !== "number" || typeof replicaId !== "number" || known === undefined) return null;
    own.push({ groupId, replicaId, stage: known });
  }
  return own;
}
