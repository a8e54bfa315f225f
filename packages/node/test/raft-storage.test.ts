import { expect, test } from "vitest";
import type { SharedLogApi, WalAppend } from "@headrace/log";
import { LocalAppendThread, message, MessageType } from "@headrace/raft-ts";
import type { Entry, Message, RaftNodeApi } from "@headrace/raft-ts";
import { RaftLog } from "../src/raft-log.ts";
import { RaftStorage } from "../src/raft-storage.ts";
import { ManualTime, MemoryLog } from "../testing/manual-world.ts";

const members = { voters: [1, 2, 3], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };

function entries(from: number, to: number, term: number): Entry[] {
  const made: Entry[] = [];
  for (let index = from; index <= to; index++) made.push({ index, term, type: 0, data: new Uint8Array(1) });
  return made;
}

test("what a later append replaces is not durable here, even if the one after that puts it back", () => {
  const outgoing: Message[] = [];
  const inFlight: WalAppend[] = [];
  const log = { append: (append: WalAppend) => inFlight.push(append) } as unknown as SharedLogApi;
  const raft = {
    id: 1,
    leader: 2,
    hasMessages: () => outgoing.length > 0,
    takeMessages: () => outgoing.splice(0),
  } as unknown as RaftNodeApi;
  const raftLog = new RaftLog(
    {
      groupId: 1,
      limits: { logCacheBytes: 1000, logFetchBytes: 1000 },
      onFetched: () => {},
      onFailed: () => {},
      snapshot: () => "unavailable",
    },
    new MemoryLog(new ManualTime(), "always"),
    null,
    { index: 0, term: 0, confState: members },
  );
  const storage = new RaftStorage(1, raft, raftLog, log, {
    applyCommitted: () => {},
    installSnapshot: () => {},
    logReplaced: () => {},
    mustSync: () => true,
    send: () => {},
    wake: () => {},
  });
  const append = (term: number, ...added: Entry[]): void => {
    outgoing.push({ ...message(MessageType.StorageAppend, LocalAppendThread, 1), term, entries: added });
    storage.pump();
  };
  append(2, ...entries(1, 10, 2));
  append(3, ...entries(7, 7, 3));
  append(4, ...entries(7, 10, 2));
  // After each completion: how far the disk holds what the log holds now, if the machine dies before the next.
  const durable: number[] = [];
  for (const write of inFlight) {
    write.onWritten?.();
    expect(storage.writtenIndex).toBe(write === inFlight[2] ? 10 : 6);
    write.onDurable();
    durable.push(storage.durableIndex);
  }
  expect(durable).toEqual([6, 6, 10]);
});
