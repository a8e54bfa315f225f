/**
 * Known ways to get replication wrong, each as one edit of the real sources. The simulator must notice every one of them: a checker that has never
 * failed proves nothing. `find` must stand in the file exactly once, so that a mutant can't silently stop being one.
 *
 * One classic is missing: committing entries of older terms by counting. Here they travel together with the own no-op, so that it shows only with
 * one entry to a message: packages/raft-ts/test/replication.test.ts does that.
 *
 * `tier` says where it is run: "test" in `npm test` (found within seconds), "long" by `npm run sim:mutants` only.
 */

export interface Mutant {
  readonly name: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
  /** The rule it breaks: its number in ARCHITECTURE.md's list of invariants, or a word. */
  readonly invariant: string;
  readonly tier: "test" | "long";
}

export const mutants: readonly Mutant[] = [
  {
    name: "self-ack before fsync",
    file: "packages/node/src/raft-storage.ts",
    find: "message.responses.slice()",
    replace: "(this.#deliver(message.responses), [])",
    invariant: "I21",
    tier: "test",
  },
  {
    name: "no read gate",
    file: "packages/node/src/executor.ts",
    find: "const gate = gateIndex(record, request, context.keyspace, stateIndex);",
    replace: "const gate = 0 * gateIndex(record, request, context.keyspace, stateIndex);",
    invariant: "I6",
    tier: "test",
  },
  {
    name: "checkpoint from uncommitted state",
    file: "packages/node/src/checkpoint.ts",
    find: [
      "if (index > cursors.committed) return 0;",
      '    assert(cursors.termAt(index) === first.term, "a capture of an entry that was replaced");',
      "    if (index > cursors.durable) return index;",
      "    // Configurations are known as far as entries were handed over.",
      "    if (index > cursors.applied) return 0;",
    ].join("\n"),
    replace: "if (index > cursors.durable) return index;",
    invariant: "I10",
    tier: "test",
  },
  {
    name: "rollback skipped",
    file: "packages/node/src/shard.ts",
    find: "if (index <= this.#state.index && !this.#isReplacing) this.#reload();",
    replace: "",
    invariant: "I9",
    tier: "test",
  },
  {
    name: "a rollback forgets what queued captures covered",
    file: "packages/node/src/checkpoint.ts",
    find: "const captures = this.#queue.map((queued) => queued.capture);",
    replace: "const captures: readonly Capture[] = [];",
    invariant: "I9",
    tier: "long",
  },
  {
    name: "reads without proof of leadership",
    file: "packages/node/src/held-replies.ts",
    find: "else if (segment.readNumber > this.#confirmed) this.#read.put(segment.readNumber, segment);",
    replace: "",
    invariant: "I7",
    tier: "long",
  },
  {
    name: "vote before it is durable",
    file: "packages/node/src/raft-storage.ts",
    find: "message.responses.slice()",
    replace: "(entries.length === 0 ? (this.#deliver(message.responses), []) : message.responses.slice())",
    invariant: "I21",
    tier: "long",
  },
  {
    name: "group deliveries at the connection's ack level",
    file: "packages/node/src/executor.ts",
    find: "const ack = record.handsOutData ? Ack.committed : context.ack;",
    replace: "const ack = context.ack;",
    invariant: "I6",
    tier: "test",
  },
  {
    name: "held replies released on step-down",
    file: "packages/node/src/held-replies.ts",
    find: "else lose(segment, this.#shardId);",
    replace: "else this.#emit(segment);",
    invariant: "I5",
    tier: "test",
  },
  {
    name: "ids from the clock alone",
    file: "packages/commands/src/stream/xadd.ts",
    find: "const id = resolveId(lastId, context.nowMs);",
    replace: "const id = resolveId(MIN_ID, context.nowMs);",
    invariant: "I4",
    tier: "test",
  },
  {
    name: "two votes in a term",
    file: "packages/raft-ts/src/raft.ts",
    find: "(this.vote === 0 && this.leader === 0) ||",
    replace: "this.leader === 0 ||",
    invariant: "vote",
    tier: "test",
  },
  {
    name: "votes for shorter logs",
    file: "packages/raft-ts/src/raft.ts",
    find: "const isGranted = canVote && this.log.isUpToDate(m.logTerm, m.index);",
    replace: "const isGranted = canVote;",
    invariant: "vote",
    tier: "long",
  },
  {
    name: "WAL writes called durable without a sync",
    file: "packages/log/src/shared-log.ts",
    find: "this.#disk.write(segments.current, offset, block.chunks, durable, (written) => {",
    replace: "this.#disk.write(segments.current, offset, block.chunks, false, (written) => {",
    invariant: "I21",
    tier: "test",
  },
  {
    name: "a tail that was only read is not synced",
    file: "packages/log/src/log-recovery.ts",
    find: "if (this.#current === -1) return this.#end(tornBytes);",
    replace: "return this.#end(tornBytes);",
    invariant: "I21",
    tier: "long",
  },
  {
    name: "WAIT asks for the newest write only",
    file: "packages/gateway/src/waits.ts",
    find: "for (const { term, index } of lane.earlierWrites) call.parts.push(partOf(lane.shardId, term, index));",
    replace: "",
    invariant: "I15",
    tier: "long",
  },
  {
    name: "WAIT counts for a write that the log has lost",
    file: "packages/node/src/replica-waits.ts",
    find: "if (query.term > 0 && !this.#raftLog.hasOrHad(query.term, query.index)) {",
    replace: "if (query.term < 0) {",
    invariant: "I15",
    tier: "long",
  },
  {
    name: "followers apply what they have received",
    file: "packages/raft-ts/src/raft-log.ts",
    find: "this.commitTo(Math.min(leaderCommit, lastNew));",
    replace: "this.commitTo(lastNew);",
    invariant: "I10",
    tier: "test",
  },
  {
    name: "snapshot read from the live store",
    file: "packages/node/src/shard-snapshots.ts",
    find: "snapshotChunkBytes, this.#view, (result)",
    replace: "snapshotChunkBytes, null, (result)",
    invariant: "I11",
    tier: "test",
  },
  {
    name: "memory is kept when a snapshot is installed",
    file: "packages/node/src/shard-snapshots.ts",
    find: "loaded(result.value);",
    replace: "this.#options.host.requestTurn(config.groupId);",
    invariant: "I9",
    tier: "long",
  },
];
