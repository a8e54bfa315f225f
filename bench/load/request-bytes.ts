/** Requests as bytes, the way every Redis client sends them. */

/** One request of these words (latin1). */
export function requestBytes(words: readonly string[]): Buffer {
  return Buffer.from(`*${words.length}\r\n${words.map(bulk).join("")}`, "latin1");
}

/** A word as a bulk string. */
export function bulk(word: string): string {
  return `$${word.length}\r\n${word}\r\n`;
}

/** Numbers below `limit` in a fixed order that looks random: the same in every run. */
export function scatter(seed: number, limit: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    // xorshift32
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % limit;
  };
}
