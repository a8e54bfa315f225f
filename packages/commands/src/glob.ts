/**
 * Redis' glob patterns (`*`, `?`, `[a-c]`, `[^a]`, `\x`) over byte strings. Walks back to the last star only, so the time is bounded by the
 * product of the lengths whatever the pattern (Redis limits the depth of its recursion instead). Source of the rules: util.c stringmatchlen.
 */
export function globMatches(pattern: string, text: string, ignoreCase: boolean): boolean {
  const wanted = ignoreCase ? pattern.toLowerCase() : pattern;
  const given = ignoreCase ? text.toLowerCase() : text;
  let p = 0;
  let t = 0;
  let starAt = -1;
  let starText = 0;
  while (t < given.length) {
    if (p < wanted.length && wanted[p] === "*") {
      starAt = p++;
      starText = t;
      continue;
    }
    const behind = p < wanted.length ? matchOne(wanted, p, given.charCodeAt(t)) : -1;
    if (behind >= 0) {
      p = behind;
      t++;
      continue;
    }
    if (starAt < 0) return false;
    p = starAt + 1;
    t = ++starText;
  }
  while (p < wanted.length && wanted[p] === "*") p++;
  return p >= wanted.length;
}

/** Matches one pattern element at `p`; answers the position behind it, or −1. */
function matchOne(pattern: string, p: number, code: number): number {
  const kind = pattern[p];
  if (kind === "?") return p + 1;
  if (kind === "[") return matchClass(pattern, p + 1, code);
  if (kind === "\\" && p + 1 < pattern.length) return pattern.charCodeAt(p + 1) === code ? p + 2 : -1;
  return pattern.charCodeAt(p) === code ? p + 1 : -1;
}

function matchClass(pattern: string, from: number, code: number): number {
  let p = from;
  const negated = pattern[p] === "^";
  if (negated) p++;
  let found = false;
  for (; p < pattern.length && pattern[p] !== "]"; p++) {
    if (pattern[p] === "\\" && p + 1 < pattern.length) {
      p++;
      if (pattern.charCodeAt(p) === code) found = true;
    } else if (pattern[p + 1] === "-" && p + 2 < pattern.length) {
      const low = Math.min(pattern.charCodeAt(p), pattern.charCodeAt(p + 2));
      const high = Math.max(pattern.charCodeAt(p), pattern.charCodeAt(p + 2));
      if (code >= low && code <= high) found = true;
      p += 2;
    } else if (pattern.charCodeAt(p) === code) {
      found = true;
    }
  }
  // An unclosed class ends with the pattern, as in Redis.
  return found === negated ? -1 : Math.min(p + 1, pattern.length);
}
