/**
 * What the store has asked the disk to write since the process began, by kind; read by whoever shows it. Whole pages where whole pages are written. What
 * the file system adds is not in it.
 */
export interface StoreBytes {
  /** Large values as they came. */
  valueBytes: number;
  /** Large values written again by the collector. */
  movedValueBytes: number;
  /** Rows into LevelDB's own log. */
  rowBytes: number;
  /** Tables that LevelDB has written: from its memory, and merging. By its own account, whole MiB. */
  tableBytes: number;
}

export function noStoreBytes(): StoreBytes {
  return { valueBytes: 0, movedValueBytes: 0, rowBytes: 0, tableBytes: 0 };
}

const MIB = 1024 * 1024;

/** LevelDB's "leveldb.stats": a line a level that has anything, with files, size, seconds, MB read, MB written. */
export function tableBytesIn(stats: string): number {
  let mebibytes = 0;
  for (const line of stats.split("\n")) {
    const columns = line.trim().split(/\s+/);
    if (columns.length === 6 && /^\d+$/.test(columns[0]!)) mebibytes += Number(columns[5]);
  }
  return mebibytes * MIB;
}
