/** The ids that pass the test, each once: an id named twice counts once, and effects want distinct ids. */
import type { StreamId } from "@headrace/engine";

export function distinctIds(ids: readonly StreamId[], passes: (id: StreamId) => boolean): StreamId[] {
  const found: StreamId[] = [];
  const seen = new Set<string>();
  let ascending = true;
  let previous: StreamId | null = null;
  for (const id of ids) {
    if (previous !== null && previous.compare(id) >= 0) ascending = false;
    previous = id;
  }
  for (const id of ids) {
    if (!ascending) {
      const text = id.toString();
      if (seen.has(text)) continue;
      seen.add(text);
    }
    if (passes(id)) found.push(id);
  }
  return found;
}
