/** One connection in a closed loop: a write, all its replies, the next write. */
import type { RawConnection } from "./raw-connection.ts";
import { ReplyCounter } from "./reply-counter.ts";

export interface Turn {
  readonly bytes: Buffer;
  readonly requests: number;
}

/** Resolves when `next` has nothing more; rejects at the first error. `answered` is told what was answered, and how long after its write. */
export function closedLoop(
  connection: RawConnection,
  next: () => Turn | null,
  answered: (requests: number, tookMs: number) => void,
): Promise<void> {
  const counter = new ReplyCounter();
  let turn: Turn | null = null;
  let missing = 0;
  let sentMs = 0;
  return new Promise((done, failed) => {
    const send = (): void => {
      turn = next();
      if (turn === null) return done();
      missing = turn.requests;
      sentMs = performance.now();
      connection.write(turn.bytes);
    };
    connection.listen((bytes, length) => {
      missing -= counter.feed(bytes, 0, length);
      if (counter.errors > 0) return failed(new Error(counter.firstError));
      if (missing > 0) return;
      if (missing < 0) return failed(new Error("more replies than requests"));
      answered(turn!.requests, performance.now() - sentMs);
      send();
    }, failed);
    send();
  });
}
