export { noSegmentBytes, openSegmentDisk } from "./segment-disk.ts";
export type { SegmentBytes, SegmentDiskOptions } from "./segment-disk.ts";
