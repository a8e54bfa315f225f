/** Parse: a client's bytes to requests, as gateway and node each do (steps 2 and 10 of the straight path). */
import { DecodeResult, RequestDecoder } from "@headrace/resp";
import { LIMITS } from "../micro/bench-context.ts";
import { PER_TURN, xadds, type Step } from "./step.ts";

const CHUNKS = 50;

export function parseStep(): Step {
  const decoder = new RequestDecoder(LIMITS);
  const chunk = xadds(PER_TURN);
  return {
    run: () => {
      let commands = 0;
      for (let i = 0; i < CHUNKS; i++) {
        decoder.feed(chunk);
        while (decoder.next() === DecodeResult.request) commands++;
      }
      return commands;
    },
    tidy: () => undefined,
  };
}
