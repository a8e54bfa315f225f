/**
 * Whether a group's log and its stored state meet (I23), and the one gap that is none: a state that was put (founding, an installed snapshot) is
 * durable before the log hears of it, and the process may have died in between. The log then begins anew behind the state; what it promised stays
 * promised: term and vote are kept (I21, I24).
 */
import { lastIndexOf, recoveredTerm } from "@headrace/log";
import type { RecoveredGroup, SharedLogApi } from "@headrace/log";

export interface StoredPosition {
  readonly index: number;
  readonly term: number;
}

export type Meeting =
  | { readonly ok: true; readonly recovered: RecoveredGroup | null }
  | { readonly ok: false; readonly message: string };

/** The log that follows the stored state. Tells the shared log where that begins if it has not heard of it. */
export function meet(
  groupId: number,
  stored: StoredPosition & { readonly isPut: boolean },
  recovered: RecoveredGroup | null,
  log: SharedLogApi,
): Meeting {
  const gap = gapBetween(stored, recovered);
  if (gap === null) return { ok: true, recovered };
  const isUntold = stored.isPut && (recovered === null || recovered.compactedIndex < stored.index);
  if (!isUntold) return { ok: false, message: gap };
  log.compact(groupId, stored.index, stored.term);
  return { ok: true, recovered: emptyLogAt(groupId, stored, recovered) };
}

function emptyLogAt(groupId: number, stored: StoredPosition, recovered: RecoveredGroup | null): RecoveredGroup {
  const { term, vote } = recovered?.hardState ?? { term: 0, vote: 0 };
  // A vote belongs to its term alone.
  const hardState = {
    term: Math.max(term, stored.term),
    vote: term >= stored.term ? vote : 0,
    commit: stored.index,
  };
  const { index: compactedIndex, term: compactedTerm } = stored;
  return { groupId, hardState, onDisk: [], entries: [], compactedIndex, compactedTerm };
}

/** Why they do not fit together; null when they do. */
function gapBetween(stored: StoredPosition, recovered: RecoveredGroup | null): string | null {
  if (recovered === null) {
    return stored.index === 0 ? null : `the checkpoint is at ${stored.index}, but there is no log`;
  }
  const lastIndex = lastIndexOf(recovered);
  if (recovered.compactedIndex > stored.index) {
    return `the log begins behind ${recovered.compactedIndex}, the checkpoint is at ${stored.index}`;
  }
  if (lastIndex < stored.index) return `the log ends at ${lastIndex}, the checkpoint is at ${stored.index}`;
  const term = recoveredTerm(recovered, stored.index);
  if (term !== null && term !== stored.term) {
    return `entry ${stored.index} has term ${term} in the log and ${stored.term} in the checkpoint`;
  }
  return null;
}
