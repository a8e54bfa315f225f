/** What waits to be put into a block. Items are taken in order; their effect on the group table happens when they are taken. */
import type { Entry } from "@headrace/raft-ts";
import type { WalAppend } from "./api.ts";

export type WalItem = AppendItem | CompactItem | ForgetItem | CopyItem;

export interface AppendItem {
  readonly kind: "append";
  readonly append: WalAppend;
  /** Entries that are already in a block: a long append may span several. */
  taken: number;
}

export interface CompactItem {
  readonly kind: "compact";
  readonly groupId: number;
  readonly index: number;
  readonly term: number;
}

export interface ForgetItem {
  readonly kind: "forget";
  readonly groupId: number;
}

/** Entries that are to move out of `segment`; those that have been replaced or dropped meanwhile are left out. */
export interface CopyItem {
  readonly kind: "copy";
  readonly groupId: number;
  readonly segment: number;
  readonly entries: readonly Entry[];
  taken: number;
}
