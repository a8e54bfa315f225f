/** Frame: a leader's append for one follower, put into a frame and read on the other side (steps 15 and 18). */
import { concatBytes } from "@headrace/bytes";
import { message, MessageType, type Message } from "@headrace/raft-ts";
import { decodeFrame, FrameBuilder } from "../../packages/node/src/peer-codec.ts";
import { sealedTurns } from "./encode-step.ts";
import { PER_TURN, type Step } from "./step.ts";

const TURNS = 40;
const ROUNDS = 20;

export function frameStep(): Step {
  const appends = sealedTurns(TURNS).map((data, i): Message => {
    const entries = [{ index: i + 1, term: 1, type: 0 as const, data }];
    return { ...message(MessageType.App, 2, 1), term: 1, logTerm: 1, index: i, commit: i, entries };
  });
  const note = { wallMs: 1, isLowOnSpace: false };
  const builder = new FrameBuilder(() => note);
  const [first] = appends;
  builder.add(1, first!);
  const whole = concatBytes(builder.take());
  let read = 0;
  const visit = (): void => void read++;
  return {
    run: () => {
      for (let round = 0; round < ROUNDS; round++) {
        for (const append of appends) {
          builder.add(1, append);
          builder.take();
          decodeFrame(whole, visit);
        }
      }
      if (read === 0) throw new Error("nothing was read");
      return ROUNDS * TURNS * PER_TURN;
    },
    tidy: () => undefined,
  };
}
