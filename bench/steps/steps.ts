/** The steps of the straight path that have a budget, in its order. */
import { applyStep } from "./apply-step.ts";
import { encodeStep } from "./encode-step.ts";
import { executeStep } from "./execute-step.ts";
import { frameStep } from "./frame-step.ts";
import { gatewayStep } from "./gateway-step.ts";
import { parseStep } from "./parse-step.ts";
import { replyStep } from "./reply-step.ts";
import { routeStep } from "./route-step.ts";
import type { Step } from "./step.ts";
import { walStep } from "./wal-step.ts";

const steps: Readonly<Record<string, () => Step>> = {
  parse: parseStep,
  route: routeStep,
  execute: executeStep,
  encode: encodeStep,
  wal: walStep,
  frame: frameStep,
  apply: applyStep,
  reply: replyStep,
  gateway: gatewayStep,
};

export const stepNames: readonly string[] = Object.keys(steps);

/** Throws when there is no such step. */
export function stepNamed(name: string): Step {
  const make = steps[name];
  if (make === undefined) throw new Error(`no step is called ${name}; there are ${stepNames.join(", ")}`);
  return make();
}
