/**
 * CRC-16/XMODEM (polynomial 0x1021, start 0), the key hash of Redis Cluster, and the slot rule with `{tag}`s.
 * Source: the Redis Cluster specification. Test oracle: npm cluster-key-slot.
 */
const table = new Uint16Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) {
    crc = crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1;
  }
  table[byte] = crc;
}

export const SLOT_COUNT = 16384;

export function crc16(bytes: Uint8Array, start: number, end: number): number {
  let crc = 0;
  for (let i = start; i < end; i++) {
    crc = ((crc << 8) ^ table[((crc >> 8) ^ bytes[i]!) & 0xff]!) & 0xffff;
  }
  return crc;
}

/** Slot of the key in bytes[start, end): of what stands between the first `{` and the next `}` if that is not empty. */
export function slotOf(bytes: Uint8Array, start: number, end: number): number {
  let from = start;
  let to = end;
  for (let i = start; i < end; i++) {
    if (bytes[i] !== 123) continue;
    for (let j = i + 1; j < end; j++) {
      if (bytes[j] !== 125) continue;
      if (j > i + 1) {
        from = i + 1;
        to = j;
      }
      break;
    }
    break;
  }
  return crc16(bytes, from, to) & (SLOT_COUNT - 1);
}

/** The same of a latin1 key. */
export function slotOfKey(key: string): number {
  let from = 0;
  let to = key.length;
  const open = key.indexOf("{");
  if (open >= 0) {
    const close = key.indexOf("}", open + 1);
    if (close > open + 1) {
      from = open + 1;
      to = close;
    }
  }
  let crc = 0;
  for (let i = from; i < to; i++) {
    crc = ((crc << 8) ^ table[((crc >> 8) ^ key.charCodeAt(i)) & 0xff]!) & 0xffff;
  }
  return crc & (SLOT_COUNT - 1);
}
