/** Debian's redis-benchmark as the load client: XADD of one field with 256 bytes, as the peers were measured. */
import { spawn } from "node:child_process";

export interface LoadCase {
  readonly name: string;
  readonly clients: number;
  readonly pipeline: number;
  readonly requests: number;
}

export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const VALUE = "x".repeat(256);

/** Runs one case against the port. Rejects when the client fails or prints no figures. */
export function runLoad(
  port: number,
  load: LoadCase,
  command: readonly string[] = ["XADD", "s", "*", "f", VALUE],
): Promise<LoadResult> {
  const args = [
    "-p",
    String(port),
    "-c",
    String(load.clients),
    "-P",
    String(load.pipeline),
    "-n",
    String(load.requests),
    "--csv",
  ];
  return new Promise((done, failed) => {
    const child = spawn("redis-benchmark", [...args, ...command], { stdio: ["ignore", "pipe", "pipe"] });
    let out = "";
    let problem = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (out += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (problem += text));
    child.once("error", (error) =>
      failed(new Error(`redis-benchmark: ${error.message}; install Debian's redis-tools`)),
    );
    child.once("exit", (code) => {
      // "test","rps","avg","min","p50","p95","p99","max" — the command's own text may hold commas, so count from the end.
      const line = out.trim().split("\n").at(-1) ?? "";
      const figures = [...line.matchAll(/"([0-9.]+)"/g)].map((match) => Number(match[1]));
      if (code !== 0 || figures.length < 7) {
        failed(new Error(`redis-benchmark ${args.join(" ")} ended with ${code}: ${problem || out}`.slice(0, 500)));
        return;
      }
      const [perSecond, , , p50Ms, , p99Ms] = figures.slice(-7) as [number, number, number, number, number, number];
      done({ perSecond, p50Ms, p99Ms });
    });
  });
}
