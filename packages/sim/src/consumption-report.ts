/** `npm run sim -- --work consumption`: the long run on the command line, and what has to have happened in it for it to mean anything. */
import { simulateConsumption, type ConsumptionResult } from "./consumption.ts";
import type { FaultChoice } from "./faults.ts";
import { Violation } from "./violation.ts";

const HOUR_MS = 3_600_000;
const SAID_EVERY_MINUTES = 10;

interface Row {
  readonly what: string;
  readonly times: number;
  /** A run in which it never happened shows nothing. */
  readonly isNeeded: boolean;
}

/** What happened, each with how often. */
export function consumptionRows(result: ConsumptionResult): readonly Row[] {
  const counted = (...names: readonly string[]): number =>
    names.reduce((sum, name) => sum + (result.counts.get(name) ?? 0), 0);
  const row = (what: string, times: number): Row => ({ what, times, isNeeded: true });
  const perhaps = (what: string, times: number): Row => ({ what, times, isNeeded: false });
  // Of those that faults have put out nothing is known to have been too much.
  const evictedByFaults = counted("bytes evicted by a fault");
  const faults = (...kinds: readonly string[]): number => counted(...kinds.map((kind) => `fault ${kind}`));
  return [
    row("entries", result.entries),
    row("of them poison", result.poison),
    row("of them added with a delay", counted("delayed entry sent")),
    row("acknowledged once", result.acknowledged),
    perhaps("of them by an acknowledgement whose answer was lost", result.unheard),
    row("in a dead-letter stream once", result.dead),
    row("sent back from a dead-letter stream", result.cameBack),
    row("taken by another shard's dead-letter stream, or back", counted("items taken from another shard's outbox")),
    row("deliveries", result.deliveries),
    row("of them of entries that had been delivered before", result.redeliveries),
    row("XADDs that were refused for a limit of lag", counted("XADD -BACKPRESSURE")),
    row("XADDs that were held for a limit of lag", counted("writes were held")),
    row("looks that found a group at its limit", counted("a group seen at its limit of lag")),
    row("XADDs of unknown fate that happened", result.unknownAdded),
    row("XADDs of unknown fate that did not", result.unknownGone),
    row("entries trimmed by retention", counted("entries trimmed by retention")),
    row("consumers that died", counted("consumer died")),
    row("consumers that left and handed back", counted("consumer left")),
    row("consumers that went because they were idle", counted("consumers that went because they were idle")),
    row("nodes killed", counted("node killed")),
    row("nodes without power", counted("power cut")),
    row("of both, while they led", counted("leader went down")),
    row("nodes stopped in good order", counted("node stopped in good order")),
    row("nodes paused", faults("pause")),
    row("links cut", faults("partition", "oneWay", "pair", "split")),
    row("times of lost or late messages", faults("loss", "reorder")),
    row("slow disks", faults("slowDisk")),
    row("disks that failed or were full", faults("diskError", "diskFull")),
    row("gateways restarted or paused", faults("gateway", "gatewayPause")),
    row("leaders elected again", counted("leader elected again")),
    row("bytes that gave way to the memory budget", counted("bytes gave way to the memory budget") - evictedByFaults),
    row("most bytes that a node held while there were producers", Math.ceil(result.highestUnderLoadBytes)),
    row("most bytes that a node held, the final look at everything included", Math.ceil(result.highestBytes)),
    row("the budget", result.budgetBytes),
    row("states of replicas compared", result.statesCompared),
  ];
}

export interface ConsumptionRequest {
  readonly seed: number;
  readonly hours: number;
  readonly without: readonly string[];
  /** Numbers of the only faults that happen; null: all. */
  readonly only: readonly number[] | null;
}

/** False: a rule was broken, or something never happened. */
export function reportConsumption(
  { seed, hours, without, only }: ConsumptionRequest,
  print: (line: string) => void,
  onLog: ((line: string) => void) | null,
): boolean {
  const startedMs = performance.now();
  const choice: FaultChoice = { without, ...(only === null ? {} : { only }) };
  let result: ConsumptionResult;
  try {
    result = simulateConsumption({
      seed,
      simulatedMs: hours * HOUR_MS,
      choice,
      onMinute: (minute, steps) => {
        if (minute % SAID_EVERY_MINUTES === 0) print(`  ${minute} simulated minutes, ${steps} steps`);
      },
      ...(onLog === null ? {} : { onLog }),
    });
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    print(`seed ${seed}: VIOLATION ${error.message}`);
    print(error.stack ?? "");
    const left = without.length === 0 ? "" : ` --without ${without.join(",")}`;
    print(
      `trace ${error.traceHash}, step ${error.atStep}; replay it with: npm run sim -- --work consumption --seed ${seed} --hours ${hours}${left} --log`,
    );
    return false;
  }
  const rows = consumptionRows(result);
  for (const { what, times } of rows) print(`  ${String(times).padStart(10)}  ${what}`);
  for (const [stream, lag] of result.highestLag)
    print(`  ${String(lag).padStart(10)}  farthest that ${stream} was behind`);
  print(`  ${result.highest}`);
  const missing = rows.filter(({ isNeeded, times }) => isNeeded && times === 0).map(({ what }) => what);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(0);
  print(
    `seed ${seed}: ${result.steps} steps, ${(result.simulatedMs / 60_000).toFixed(1)} simulated minutes in ${seconds} s, trace ${result.traceHash}, ${result.memoryExcess === null ? "no violation" : `VIOLATION ${result.memoryExcess}`}`,
  );
  if (missing.length > 0) print(`NEVER HAPPENED: ${missing.join(", ")}`);
  return missing.length === 0 && result.memoryExcess === null;
}
