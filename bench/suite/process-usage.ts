/** Processor time and memory of processes as Linux counts them. */
import { existsSync, readFileSync } from "node:fs";
import { rssAnonBytes, rssBytes } from "../system/process-memory.ts";
import type { NamedProcess } from "./system.ts";

/** Of /proc/PID/stat: Linux has 100 a second on every machine that Node runs on. */
const TICKS_PER_SECOND = 100;

export interface ProcessUse {
  /** Share of one core, 0 to 1 (more with several threads). */
  readonly cpu: number;
  readonly rssMiB: number;
  /** Of those pages the process's own: mapped files do not count. */
  readonly anonMiB: number;
}

export type Usage = Readonly<Record<string, ProcessUse>>;

/** Seconds of processor time that the line of /proc/PID/stat shows: in user mode and in the kernel. */
export function cpuSecondsOf(stat: string): number {
  // The name in parentheses may hold anything: count from behind it. utime and stime are fields 14 and 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function cpuSeconds(pid: number): number {
  try {
    return cpuSecondsOf(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch (error) {
    if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return 0;
    throw error;
  }
}

/** Seconds that the CPUs of the machine were busy since it started; NaN where there is no /proc. */
export function busySeconds(): number {
  if (!existsSync("/proc/stat")) return Number.NaN;
  return busySecondsOf(readFileSync("/proc/stat", "utf8"));
}

/** From the first line of /proc/stat, the sum of all CPUs: everything but idle and iowait; what guests use is in user already. */
export function busySecondsOf(stat: string): number {
  const [user, nice, system, , , irq, softirq, steal] = stat.split("\n", 1)[0]!.split(/\s+/).slice(1).map(Number);
  return (user! + nice! + system! + irq! + softirq! + steal!) / TICKS_PER_SECOND;
}

/** Starts counting; the answer counts until it is called. */
export function usageFromNow(processes: readonly NamedProcess[]): () => Usage {
  const fromMs = performance.now();
  const before = processes.map(({ pid }) => cpuSeconds(pid));
  return () => {
    const seconds = (performance.now() - fromMs) / 1000;
    const uses = processes.map(({ name, pid }, i): [string, ProcessUse] => {
      const cpu = Math.max(0, cpuSeconds(pid) - before[i]!) / seconds;
      return [name, { cpu, rssMiB: mebibytes(rssBytes(pid)), anonMiB: mebibytes(rssAnonBytes(pid)) }];
    });
    return Object.fromEntries(uses);
  };
}

/** Whole ones. */
export function mebibytes(bytes: number | null): number {
  return Math.round((bytes ?? 0) / 1024 / 1024);
}
