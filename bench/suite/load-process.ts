/** Runs the load generator beside a system, and looks at the system's processes while it counts. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Job, LoadEvent, LoadFigures } from "../load/job.ts";
import { readDiskCounters, type DiskCounters } from "../system/disk-counters.ts";
import { busySeconds, usageFromNow, type Usage } from "./process-usage.ts";
import type { RunningSystem } from "./system.ts";

const script = fileURLToPath(new URL("../load/main.ts", import.meta.url));

export interface Measured extends LoadFigures {
  readonly usage: Usage;
  /** Share of one core that anything else on the machine had, the kernel's own threads included; null where the kernel does not tell. */
  readonly othersCpu: number | null;
  /** Of the whole machine's disk; null where the kernel does not tell. */
  readonly diskFlushesPerSecond: number | null;
  readonly diskWritesPerSecond: number | null;
}

/** Rejects with what the load generator or the system said. */
export async function measureLoad(system: RunningSystem, job: Job): Promise<Measured> {
  const child = spawn(process.execPath, [script, JSON.stringify(job)], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    let usage: (() => Usage) | null = null;
    let disk: DiskCounters | null = null;
    let busyBefore = 0;
    for await (const line of createInterface({ input: child.stdout })) {
      // What is not a number, like the median of nothing, has come as null.
      const said = JSON.parse(line, (_, value: unknown) => (value === null ? Number.NaN : value)) as LoadEvent;
      if (said.event === "failed") throw new Error(said.message);
      if (said.event === "measuring") {
        usage = usageFromNow(system.processes());
        disk = readDiskCounters(system.directory);
        busyBefore = busySeconds();
        continue;
      }
      if (said.operations === 0) throw new Error("nothing was answered in the time that counts");
      const after = readDiskCounters(system.directory);
      const { event: _, ...figures } = said;
      const used = usage!();
      const busy = (busySeconds() - busyBefore) / said.seconds;
      const ours = Object.values(used).reduce((sum, { cpu }) => sum + cpu, said.cpuSeconds / said.seconds);
      return {
        ...figures,
        usage: used,
        othersCpu: Number.isNaN(busy) ? null : Math.max(0, busy - ours),
        diskFlushesPerSecond: disk === null || after === null ? null : (after.flushes - disk.flushes) / said.seconds,
        diskWritesPerSecond: disk === null || after === null ? null : (after.writes - disk.writes) / said.seconds,
      };
    }
    throw new Error("the load generator ended without figures");
  } finally {
    child.kill("SIGKILL");
  }
}
