#!/usr/bin/env node
// The bin `headrace`. Plain JavaScript, because the Node that finds it may be an old one: then the pinned Node beside it takes over.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, "..", "src", "main.ts");

if (Number(process.versions.node.split(".")[0]) >= 26) {
  await import(main);
} else {
  let folder = here;
  let pinned = null;
  while (pinned === null && dirname(folder) !== folder) {
    const candidate = join(folder, "node_modules", ".bin", "node");
    if (existsSync(candidate)) pinned = candidate;
    folder = dirname(folder);
  }
  if (pinned === null) {
    process.stderr.write("headrace: needs Node 26; run npm ci first, it brings one along\n");
    process.exit(1);
  }
  const run = spawnSync(pinned, [main, ...process.argv.slice(2)], { stdio: "inherit" });
  process.exit(run.status ?? 1);
}
