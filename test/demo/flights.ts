/** The real input: 200,000 flights of the npm package vega-datasets (US Bureau of Transportation Statistics). */
import { createRequire } from "node:module";

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
  const require = createRequire(import.meta.url);
  return require("vega-datasets/data/flights-200k.json") as Flight[];
}
