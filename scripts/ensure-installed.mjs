// Plain JavaScript for Node ≥ 20: runs before the pinned Node exists. Installs what the lock file names, only when something is missing or
// the lock file has changed since the last install.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const lock = readFileSync(join(root, "package-lock.json"));
const digest = createHash("sha256").update(lock).digest("hex");
const stamp = join(root, "node_modules", ".headrace-installed");

if (!existsSync(stamp) || readFileSync(stamp, "utf8") !== digest) {
  process.stderr.write("headrace: installing dependencies (npm ci), once\n");
  const npm = process.platform === "win32" ? "npm.cmd" : "npm";
  const run = spawnSync(npm, ["ci", "--no-audit", "--no-fund"], {
    cwd: root,
    stdio: ["ignore", 2, 2],
  });
  if (run.status !== 0) {
    process.stderr.write("headrace: npm ci failed; the npm registry must be reachable for the first start\n");
    process.exit(1);
  }
  writeFileSync(stamp, digest);
}
