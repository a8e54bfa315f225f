import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

/** In a process of its own: here others' garbage makes V8 collect. By itself it looks at buffers when they have grown by 64 MiB. */
const SCRIPT = `
  import { getHeapStatistics } from "node:v8";
  import { collectYoungGarbage } from ${JSON.stringify(new URL("../src/v8-flags.ts", import.meta.url).href)};
  const budgetBytes = Number(process.argv[1]);
  const before = getHeapStatistics().external_memory;
  const heldMiB = () => (getHeapStatistics().external_memory - before) / 1024 / 1024;
  const end = collectYoungGarbage(budgetBytes);
  for (let i = 0; i < 48; i++) Buffer.allocUnsafeSlow(1024 * 1024);
  if (heldMiB() < 48) throw new Error("collected while it was made");
  const giveUpMs = performance.now() + 10_000;
  while (heldMiB() > 12 && performance.now() < giveUpMs) await new Promise((next) => setTimeout(next, 20));
  end();
  console.log(heldMiB() > 12 ? "kept" : "given back");
`;

test("buffers that nobody needs are given back soon where the budget is small", async () => {
  const run = promisify(execFile);
  const args = ["--input-type=module", "-e", SCRIPT, "--", String(128 * 1024 * 1024)];
  const { stdout } = await run(process.execPath, args, { cwd: fileURLToPath(new URL("..", import.meta.url)) });
  expect(stdout.trim()).toBe("given back");
});
