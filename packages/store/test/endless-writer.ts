/** For a test that kills it: writes batch after batch and prints the number of each when it is durable. `endless-writer.ts DIRECTORY FIRST`. */
import { writeSync } from "node:fs";
import { compressing, open, valueOfLength, write } from "./open-store.ts";

const store = await open(process.argv[2]!, compressing);
for (let batch = Number(process.argv[3]); ; batch++) {
  await write(store, [
    [`k${batch % 5}`, valueOfLength(400, batch)],
    // These stay long enough to be compressed.
    [`kept${batch % 100}`, valueOfLength(300, batch)],
    ["last", String(batch)],
  ]);
  writeSync(1, `${batch}\n`);
}
