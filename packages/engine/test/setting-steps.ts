/** Steps of the random lives that set something of a group or its stream, in the state and in the model. */
import type { Effects, Retry } from "../src/index.ts";
import type { ModelGroup, ModelStream } from "./naive-model.ts";

const RETRIES: readonly (Retry | null)[] = [
  null,
  { minIdleMs: 500, factor: 1, maxIdleMs: 500 },
  { minIdleMs: 500, factor: 2, maxIdleMs: 4000 },
];

/** False: this step sets nothing. */
export function settingStep(
  effects: Effects,
  key: string,
  name: string,
  { stream, group }: { readonly stream: ModelStream; readonly group: ModelGroup },
  a: number,
  b: number,
): boolean {
  if (a % 16 === 9) {
    stream.maxLagBytes = b % 4 === 0 ? null : { bytes: 1 + (b % 9) * 100, holdMs: (b % 3) * 30 };
    effects.limits.setMaxLagBytes(key, stream.maxLagBytes);
  } else if (a % 8 === 1) {
    group.consumerIdleMs = [0, 5, 5000][b % 3]!;
    effects.setConsumerIdle(key, name, group.consumerIdleMs);
  } else if (a % 8 === 5) {
    group.maxLag = b % 4 === 0 ? null : { entries: 1 + (b % 7) * 5, holdMs: (b % 3) * 40 };
    effects.limits.setMaxLag(key, name, group.maxLag);
  } else if (a % 4 === 3) {
    group.retry = RETRIES[b % RETRIES.length]!;
    effects.setGroupRetry(key, name, group.retry);
  } else {
    return false;
  }
  return true;
}
