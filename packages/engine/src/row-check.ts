/** Whether a row is what was sealed: for who carries rows between stores without building a state of them. */
import { ROW_FRAME_BYTES, rowChecksum } from "./state-rows.ts";

export function rowIsIntact(slot: number, subkey: Uint8Array, value: Uint8Array): boolean {
  if (value.length < ROW_FRAME_BYTES) return false;
  const end = value.length - 4;
  const stated = new DataView(value.buffer, value.byteOffset, value.length).getUint32(end, true);
  return stated === rowChecksum(slot, subkey, value.subarray(0, end));
}
