/** The process of a ProbeProcess: a LatencyProbe that answers its parent. */
import { LatencyProbe } from "./latency-probe.ts";
import type { ProbeOrder } from "./probe-process.ts";

const [port, key, perSecond, valueBytes] = process.argv.slice(2);
const probe = new LatencyProbe(Number(port), key!, Number(perSecond), Number(valueBytes));

async function obey(order: ProbeOrder): Promise<void> {
  if (order === "start") await probe.start();
  if (order === "stop") await probe.stop();
  process.send?.(order === "take" ? probe.take() : null);
  if (order === "stop") process.disconnect?.();
}

process.on("message", (order: ProbeOrder) => void obey(order));
process.on("disconnect", () => process.exit());
