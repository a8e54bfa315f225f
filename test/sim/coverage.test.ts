/** The counting behind `npm run sim:coverage`: what is a line of code, and when it has run. */
import { describe, expect, test } from "vitest";
import { codeLines, coverageOf, ranCharacters } from "./coverage.ts";

describe("line coverage", () => {
  test("counts lines that hold code, not comments, types, blank lines or closing brackets", () => {
    const source = [
      "/** A comment",
      " * of two lines. */",
      'import type { A } from "./a.ts";',
      'import { b } from "./b.ts";',
      "interface C {",
      "  readonly d: number;",
      "}",
      "",
      "// another",
      "export function e(f: number): number {",
      "  return f + b;",
      "}",
    ].join("\n");
    expect(codeLines(source)).toEqual([4, 10, 11]);
  });

  test("believes the innermost range that V8 counted", () => {
    const whole = { startOffset: 0, endOffset: 10, count: 1 };
    const branch = { startOffset: 2, endOffset: 8, count: 0 };
    const inside = { startOffset: 4, endOffset: 6, count: 3 };
    expect([...ranCharacters(10, [{ ranges: [whole, branch] }, { ranges: [inside] }])]).toEqual([
      1, 1, 0, 0, 1, 1, 0, 0, 1, 1,
    ]);
  });

  test("names the stretches of lines that never ran, and all of a file that was never loaded", () => {
    const source = "let a = 1;\nif (a > 1) {\n  a = 2;\n  a = 3;\n}\na = 4;\n";
    const from = source.indexOf("{");
    const ran = ranCharacters(source.length, [
      {
        ranges: [
          { startOffset: 0, endOffset: source.length, count: 1 },
          { startOffset: from, endOffset: source.indexOf("}") + 1, count: 0 },
        ],
      },
    ]);
    expect(coverageOf("a.ts", source, ran)).toEqual({ file: "a.ts", lines: 5, covered: 3, uncovered: [[3, 4]] });
    expect(coverageOf("a.ts", source, null)).toEqual({ file: "a.ts", lines: 5, covered: 0, uncovered: [[1, 6]] });
  });
});
