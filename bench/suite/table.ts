/** Tables as plain text: columns as wide as their widest cell, numbers to the right. */

export type Cell = string | number | null;

/** Numbers: whole from 1000 on, with separators; below it three digits that count. Null is a dash. */
export function shown(value: Cell): string {
  if (value === null) return "–";
  if (typeof value === "string") return value;
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  return size >= 1 || size === 0 ? value.toFixed(2) : value.toFixed(3);
}

export function renderTable(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const texts = rows.map((row) => row.map(shown));
  const isNumber = head.map((_, column) => rows.every((row) => typeof row[column] !== "string"));
  const widths = head.map((title, column) => Math.max(title.length, ...texts.map((row) => row[column]!.length)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((text, column) => (isNumber[column] ? text.padStart(widths[column]!) : text.padEnd(widths[column]!)))
      .join("  ")
      .trimEnd();
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...texts.map(line)].join("\n");
}
