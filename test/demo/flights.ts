/** The real input: 200,000 flights of the npm package vega-datasets (US Bureau of Transportation Statistics). */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export interface Flight {
  readonly delay: number;
  readonly distance: number;
  readonly time: number;
}

export const STREAM_COUNT = 8;
export const GROUP = "analysts";

/** Row r goes to stream r mod 8. The tags spread the streams over slots, and so over shards. */
export function streamName(stream: number): string {
  return `flights:{carrier-${stream}}`;
}

export function loadFlights(): readonly Flight[] {
  // The package exports its code only; the data lies in a folder beside it.
  const code = fileURLToPath(import.meta.resolve("vega-datasets"));
  const folder = dirname(code).replace(/[\\/](build|src)$/, "");
  return JSON.parse(readFileSync(join(folder, "data", "flights-200k.json"), "utf8")) as Flight[];
}
