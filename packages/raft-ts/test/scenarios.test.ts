/**
 * Scripts in the form of etcd's interaction tests, one scenario a file, in testdata/. What they expect was derived from the Raft paper and from what
 * etcd documents, claim by claim (the form: testing/script/expectation.ts), and never taken from what our code printed.
 */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { readScript } from "../testing/script/directive.ts";
import { brokenClaims } from "../testing/script/expectation.ts";
import { reportOf } from "../testing/script/report.ts";
import { isCommand, ScriptRun } from "../testing/script/script-run.ts";

const directory = new URL("./testdata/", import.meta.url);

for (const file of readdirSync(directory).filter((name) => name.endsWith(".txt"))) {
  const text = readFileSync(new URL(file, directory), "utf8");
  test(`${file}: ${text.slice(1, text.indexOf("\n")).trim()}`, () => {
    const run = new ScriptRun();
    const broken: string[] = [];
    for (const directive of readScript(text, isCommand)) {
      const outcome = run.execute(directive);
      const claims = brokenClaims(directive.expected, reportOf(run, directive, outcome));
      if (claims.length > 0) broken.push(`line ${directive.line}, ${directive.text}:`, ...claims, outcome.output);
    }
    expect(broken.join("\n")).toBe("");
  });
}
