/** The README's table of settings, from the rows. `npm run docs:settings` writes it; a test compares. */
import { environmentName, settingRows, type SettingRow } from "./settings.ts";

/** Markdown, one row a setting, no line end behind the last. */
export function settingsTable(): string {
  const head = ["| setting | default | read by | meaning |", "|---|---|---|---|"];
  return [...head, ...settingRows.map((row) => `| ${cells(row).join(" | ")} |`)].join("\n");
}

function cells(row: SettingRow): readonly string[] {
  const name = row.secret === true ? `\`${environmentName(row)}\`` : `\`--${row.name}\``;
  const choices = row.choices === undefined ? "" : ` One of ${row.choices.map((word) => `\`${word}\``).join(", ")}.`;
  const bounded = row.unit !== "port" && row.minimum !== undefined && row.maximum !== undefined;
  const limits = bounded ? ` From ${shown(row, row.minimum)} to ${shown(row, row.maximum)}.` : "";
  return [name, fallback(row), row.programs.join(", "), `${row.meaning}${choices}${limits}`.replaceAll("|", "\\|")];
}

function fallback(row: SettingRow): string {
  if (row.default === null) return "—";
  if (typeof row.default === "boolean") return row.default ? "on" : "off";
  return `\`${typeof row.default === "number" ? shown(row, row.default) : row.default}\``;
}

/** As it can be given: bytes in Redis' units when they come out even. */
function shown(row: SettingRow, value: number): string {
  if (row.unit !== "bytes") return String(value);
  for (const [unit, size] of [
    ["gb", 1024 ** 3],
    ["mb", 1024 ** 2],
    ["kb", 1024],
  ] as const) {
    if (value >= size && value % size === 0) return `${value / size}${unit}`;
  }
  return String(value);
}
