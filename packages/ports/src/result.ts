/**
 * The world failed, or it did not. Ports never throw for the world's failures: they hand a typed result to
 * the place where the decision is. `reason` is for branching, `message` is for the log.
 */
export type Failure = {
  readonly ok: false;
  readonly reason: FailureReason;
  readonly message: string;
};
export type Result<T> = { readonly ok: true; readonly value: T } | Failure;

/**
 * `io`: EIO and everything unknown; `space`: ENOSPC or a quota; `missing`: the thing does not exist; `closed`: the port was shut; `corrupt`:
 * it is not what was written; `unsupported`: it is whole, but of a newer program; `later`: of what is to be done at once, it passes, and an operation
 * that can wait would get its answer.
 */
export type FailureReason = "io" | "space" | "missing" | "closed" | "corrupt" | "unsupported" | "later";

/** A completion. Called exactly once, always in a later event, never inside the call that asked for it. */
export type Done<T> = (result: Result<T>) => void;
