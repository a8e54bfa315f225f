/**
 * A fresh process that knows only the address: reads every stream by XRANGE and compares row by row with the file. Prints one JSON line; exits 1 on
 * any difference.
 */
import { Redis } from "ioredis";
import { loadFlights, STREAM_COUNT, streamName } from "./flights.ts";

const PAGE = 2000;
const redis = new Redis(process.argv[2]!);
const flights = loadFlights();
const seen = new Uint8Array(flights.length);
let entries = 0;
let twice = 0;
let different = 0;
let delaySum = 0;
let distanceSum = 0;

for (let stream = 0; stream < STREAM_COUNT; stream++) {
  let from = "-";
  for (;;) {
    const page = await redis.xrange(streamName(stream), from, "+", "COUNT", PAGE);
    for (const [, fields] of page) {
      entries++;
      const row = Number(fields[1]);
      const flight = flights[row];
      const same =
        flight !== undefined &&
        row % STREAM_COUNT === stream &&
        fields[3] === String(flight.delay) &&
        fields[5] === String(flight.distance) &&
        fields[7] === String(flight.time);
      if (!same) {
        different++;
        continue;
      }
      if (seen[row]! > 0) twice++;
      else {
        delaySum += flight.delay;
        distanceSum += flight.distance;
      }
      seen[row] = 1;
    }
    if (page.length < PAGE) break;
    from = `(${page.at(-1)![0]}`;
  }
}
await redis.quit();
const lost = seen.reduce((missing, there) => missing + (there === 0 ? 1 : 0), 0);
console.log(JSON.stringify({ entries, twice, different, lost, delaySum, distanceSum }));
process.exit(lost === 0 && different === 0 ? 0 : 1);
