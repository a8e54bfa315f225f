/**
 * Throws a damaged log away once nothing that it promised counts any more (quarantine.ts). First it is written down that every replica that was here is to be
 * deleted, and that of the metadata only what was heard counts; then the segments go, from the front: whatever is left by a crash in between is damaged,
 * or empty, and the replicas are not opened from it.
 */
import type { ClusterState } from "@headrace/meta";
import type { Done, RecordStore, SegmentDisk } from "@headrace/ports";
import { storeMetaPosition, votersOnly } from "./meta-position.ts";
import { storeReplicas } from "./replica-record.ts";
import type { OwnReplica } from "./replica-record.ts";

export interface LogDisposalWorld {
  readonly recordStore: RecordStore;
  readonly segmentDisk: SegmentDisk;
}

export function disposeOfLog(
  world: LogDisposalWorld,
  state: ClusterState,
  own: readonly OwnReplica[],
  done: Done<void>,
): void {
  const removing = own.map((replica): OwnReplica => {
    return replica.stage === "gone" ? replica : { ...replica, stage: "removing" };
  });
  storeReplicas(world.recordStore, removing, (stored) => {
    if (!stored.ok) return done(stored);
    const position = { index: 0, term: 0, confState: votersOnly([]) };
    storeMetaPosition(world.recordStore, { position, state, isPut: true }, (kept) => {
      if (!kept.ok) return done(kept);
      removeSegments(world.segmentDisk, done);
    });
  });
}

/** Until there is none: one may have been on its way when the log was given up. */
function removeSegments(disk: SegmentDisk, done: Done<void>): void {
  disk.list((listed) => {
    if (!listed.ok) return done(listed);
    const [first] = listed.value;
    if (first === undefined) return done({ ok: true, value: undefined });
    disk.remove(first.sequence, (removed) => {
      if (removed.ok) removeSegments(disk, done);
      else done(removed);
    });
  });
}
