export { openSegmentDisk } from "./segment-disk.ts";
export type { SegmentDiskOptions } from "./segment-disk.ts";
