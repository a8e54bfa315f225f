// Runs vitest and ends with one line that people and CI can trust: `N passed, N failed, N skipped`. Arguments go to vitest.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const MESSAGE_LINES = 25;
const MESSAGE_LINE_CHARS = 400;

const require = createRequire(import.meta.url);
const vitest = join(dirname(require.resolve("vitest/package.json")), "vitest.mjs");
const folder = mkdtempSync(join(tmpdir(), "headrace-tests-"));
const report = join(folder, "report.json");

const run = spawnSync(
  process.execPath,
  [vitest, "run", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`, ...process.argv.slice(2)],
  { stdio: "inherit" },
);

let failures = [];
let line = "0 passed, 1 failed, 0 skipped (the runner did not finish)";
let ok = false;
try {
  const result = JSON.parse(readFileSync(report, "utf8"));
  // A file that does not even load counts as one failure: it has no tests to count.
  const brokenFiles = result.testResults.filter(
    (file) => file.status === "failed" && file.assertionResults.every((test) => test.status !== "failed"),
  ).length;
  const failed = result.numFailedTests + brokenFiles;
  const skipped = result.numPendingTests + (result.numTodoTests ?? 0);
  line = `${result.numPassedTests} passed, ${failed} failed, ${skipped} skipped`;
  failures = failuresOf(result);
  ok = run.status === 0 && failed === 0 && result.numPassedTests > 0;
} catch (error) {
  process.stderr.write(`no test report: ${error.message}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
// Again at the end, where people and CI look: a line for each test, and the beginning of what it said.
for (const { name, message } of failures) process.stdout.write(`FAILED ${name}\n${message}\n`);
process.stdout.write(`${line}\n`);
process.exit(ok ? 0 : 1);

/** What failed, by file and name, with the first lines of the reason. */
function failuresOf(result) {
  return result.testResults.flatMap((file) => {
    const tests = file.assertionResults.filter((test) => test.status === "failed");
    const path = file.name.replace(`${process.cwd()}/`, "");
    if (tests.length > 0)
      return tests.map((test) => failureOf(`${path} > ${test.fullName}`, test.failureMessages.join("\n")));
    return file.status === "failed" ? [failureOf(path, file.message ?? "")] : [];
  });
}

function failureOf(name, message) {
  const lines = message.split("\n").slice(0, MESSAGE_LINES);
  return { name, message: lines.map((text) => `  ${text.slice(0, MESSAGE_LINE_CHARS)}`).join("\n") };
}
