/**
 * What must hold or the process must stop (I24). Raft imports nothing, so it has its own `assert`; always on, in production too: a replica
 * that believes something impossible does less harm dead than alive. Nothing a peer may legitimately send can trip one of these, except a
 * peer that lost its disk and kept its id (I19), which is exactly what has to stop here.
 */

export class RaftInvariantError extends Error {
  override name: string = "RaftInvariantError";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new RaftInvariantError(message);
}
