/**
 * Gateway: all that it does for a request and its reply (steps 1 to 6 and 22 to 25), between clients and a node in memory. Parse and route are part of it: what
 * they cost alone stands beside it.
 */
import { forgetTasks, openGateway, pipe, REPLY, runTasks } from "../micro/memory-gateway.ts";
import { xadds, type Step } from "./step.ts";

const CLIENTS = 8;
const IN_FLIGHT = 100;
const COMMANDS = 16_000;

export function gatewayStep(): Step {
  const gateway = openGateway(8);
  const text = xadds(IN_FLIGHT);
  let answered = 0;
  for (let i = 0; i < CLIENTS; i++) {
    const [near, far] = pipe();
    let missing = IN_FLIGHT * REPLY.length;
    near.listen({
      onData: (chunk) => {
        missing -= chunk.length;
        if (missing > 0) return;
        missing = IN_FLIGHT * REPLY.length;
        answered += IN_FLIGHT;
        near.write(text);
      },
      onDrain: () => undefined,
      onClose: () => forgetTasks(),
    });
    gateway.attach(far);
    near.write(text);
  }
  return {
    run: () => {
      const from = answered;
      runTasks(() => answered - from >= COMMANDS);
      return answered - from;
    },
    tidy: () => undefined,
  };
}
