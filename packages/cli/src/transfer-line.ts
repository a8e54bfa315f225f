/** How far a backup, a restore or an import is, in one line for a person. Pure text. */

export interface Transfer {
  readonly verb: string;
  /** What is counted: shards, keys. */
  readonly unit: string;
  readonly done: number;
  /** 0: nobody knows. */
  readonly total: number;
  readonly bytes: number;
  readonly seconds: number;
}

const BAR_CELLS = 20;

export function transferLine({ verb, unit, done, total, bytes, seconds }: Transfer): string {
  const filled = total === 0 ? 0 : Math.floor((done / total) * BAR_CELLS);
  const bar = total === 0 ? "" : `[${"#".repeat(filled)}${"-".repeat(BAR_CELLS - filled)}] `;
  const of = total === 0 ? String(done) : `${done} of ${total}`;
  const rate = seconds > 0 ? `, ${byteSize(bytes / seconds)}/s` : "";
  return `${verb} ${bar}${of} ${unit}, ${byteSize(bytes)}${rate}`;
}

/** Three digits or so: 999 B, 1.50 KiB, 64.0 MiB. */
export function byteSize(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  if (unit === 0) return `${Math.round(value)} B`;
  return `${value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0)} ${units[unit]!}`;
}
