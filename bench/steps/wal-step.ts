/** WAL append: log entries into blocks with their checksums (steps 16 and 17), for a disk that takes them at once and does nothing. */
import type { Done, Logger, Scheduler, SegmentDisk, SegmentInfo } from "@headrace/ports";
import { SharedLog } from "@headrace/log";
import { sealedTurns } from "./encode-step.ts";
import { PER_TURN, type Step } from "./step.ts";

const SEGMENT_BYTES = 64 * 1024 * 1024;
const TURNS = 40;

/** What is to be done next, in order: the log's own tasks and the disk's answers. */
class Tasks implements Scheduler {
  #tasks: (() => void)[] = [];

  soon(task: () => void): void {
    this.#tasks.push(task);
  }

  after(): { cancel(): void } {
    return { cancel: () => undefined };
  }

  settle(): void {
    while (this.#tasks.length > 0) {
      const tasks = this.#tasks;
      this.#tasks = [];
      for (const task of tasks) task();
    }
  }
}

class NoDisk implements SegmentDisk {
  readonly #tasks: Tasks;
  readonly #segments: SegmentInfo[] = [];

  constructor(tasks: Tasks) {
    this.#tasks = tasks;
  }

  list(done: Done<readonly SegmentInfo[]>): void {
    this.#tasks.soon(() => done({ ok: true, value: this.#segments }));
  }

  create(sequence: number, sizeBytes: number, done: Done<void>): void {
    this.#segments.push({ sequence, sizeBytes });
    this.#done(done);
  }

  read(): void {
    throw new Error("nothing is read back here");
  }

  write(_sequence: number, _offset: number, _chunks: readonly Uint8Array[], _durable: boolean, done: Done<void>): void {
    this.#done(done);
  }

  sync(_sequence: number, done: Done<void>): void {
    this.#done(done);
  }

  remove(_sequence: number, done: Done<void>): void {
    this.#done(done);
  }

  close(done: Done<void>): void {
    this.#done(done);
  }

  #done(done: Done<void>): void {
    this.#tasks.soon(() => done({ ok: true, value: undefined }));
  }
}

const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

export function walStep(): Step {
  const payloads = sealedTurns(TURNS);
  const tasks = new Tasks();
  const config = { segmentBytes: SEGMENT_BYTES, maxWriteBytes: 1024 * 1024, sealAfterMs: 10, fsync: "always" } as const;
  const clock = { wallMs: () => 1, monotonicMs: () => 1 };
  const log = new SharedLog(config, new NoDisk(tasks), clock, tasks, silent);
  log.recover((result) => {
    if (!result.ok) throw new Error(result.message);
  });
  tasks.settle();
  let index = 0;
  let durable = 0;
  const onDurable = (): void => void durable++;
  return {
    run: () => {
      for (const data of payloads) {
        const entries = [{ index: ++index, term: 1, type: 0 as const, data }];
        log.append({ groupId: 1, hardState: null, entries, mustSync: true, onWritten: null, onDurable });
        tasks.settle();
      }
      if (durable !== index) throw new Error("an append is not durable");
      return TURNS * PER_TURN;
    },
    tidy: () => {
      log.compact(1, index, 1);
      tasks.settle();
    },
  };
}
