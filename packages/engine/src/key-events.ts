/**
 * What happened to keys, in Redis' words. An effect names its event where the leader makes it (`BatchEffects`): followers, recovery and replay
 * run `apply` alone and say nothing. What becomes of an event, and when, is the listener's business.
 */

/** Redis' NOTIFY_ bits of the classes that occur here. */
export const KeyEventClass = {
  generic: 4,
  string: 8,
  list: 16,
  sortedSet: 128,
  set: 32,
  hash: 64,
  expired: 256,
  stream: 1024,
  keyMiss: 2048,
  new: 16384,
} as const;
export type KeyEventClass = (typeof KeyEventClass)[keyof typeof KeyEventClass];

export interface KeyEvents {
  /** In the order in which Redis gives them. The change is in memory, and neither logged nor committed. */
  keyEvent(eventClass: KeyEventClass, event: string, key: string): void;
}
