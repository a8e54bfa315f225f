/**
 * notify-keyspace-events: letters for classes of events and for where they are published, kept as Redis' NOTIFY_ bits. CONFIG GET shows them in
 * one order, with `A` for all classes but `n` and `m`. Source: notify.c keyspaceEventsStringToFlags, keyspaceEventsFlagsToString.
 */

/** Published at `__keyspace@0__:<key>`. */
export const NOTIFY_KEYSPACE = 1;
/** Published at `__keyevent@0__:<event>`. */
export const NOTIFY_KEYEVENT = 2;

/** In the order in which they are shown. `d` are events of modules, which there are none of. */
const CLASSES: readonly (readonly [letter: string, bit: number])[] = [
  ["g", 4],
  ["$", 8],
  ["l", 16],
  ["s", 32],
  ["h", 64],
  ["z", 128],
  ["x", 256],
  ["e", 512],
  ["t", 1024],
  ["d", 8192],
];

const ALL = CLASSES.reduce((bits, [, bit]) => bits | bit, 0);
const NEW = 16384;
const KEY_MISS = 2048;

const BITS: ReadonlyMap<string, number> = new Map([
  ...CLASSES,
  ["A", ALL],
  ["n", NEW],
  ["K", NOTIFY_KEYSPACE],
  ["E", NOTIFY_KEYEVENT],
  ["m", KEY_MISS],
]);

/** Null: a letter that is none. */
export function parseNotifyFlags(text: string): number | null {
  let flags = 0;
  for (const letter of text) {
    const bit = BITS.get(letter);
    if (bit === undefined) return null;
    flags |= bit;
  }
  return flags;
}

export function notifyFlagsText(flags: number): string {
  let text = "";
  if ((flags & ALL) === ALL) {
    text = "A";
  } else {
    for (const [letter, bit] of CLASSES) if ((flags & bit) !== 0) text += letter;
  }
  // Redis leaves it out behind `A`; this text is also how the setting is stored, so it has to say everything.
  if ((flags & NEW) !== 0) text += "n";
  if ((flags & NOTIFY_KEYSPACE) !== 0) text += "K";
  if ((flags & NOTIFY_KEYEVENT) !== 0) text += "E";
  if ((flags & KEY_MISS) !== 0) text += "m";
  return text;
}
