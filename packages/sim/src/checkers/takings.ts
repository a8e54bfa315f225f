/** What requests and replies say of who put an element where and who took it: shared by the checkers of lists and of sorted sets. */
import type { Operation } from "../sim-client.ts";
import { isDoubtful, NEVER } from "./reading.ts";

/** One element's way through one key. */
export interface Stay {
  readonly element: string;
  readonly put: Operation;
  /** Who took it; null: it is there at the end, or nobody knows. */
  readonly taken: Operation | null;
  /** It is there at the end. */
  readonly isThere: boolean;
}

/** When somebody began to take it: until then it was there; NEVER: it still is. Only of those of which one knows. */
export function takenFrom({ taken }: Stay): number {
  return taken === null ? NEVER : taken.invokedStep;
}

export function takenUntil({ taken }: Stay): number {
  return taken === null ? NEVER : taken.completedStep;
}

/** What became of it is known. */
export function isKnown({ taken, isThere }: Stay): boolean {
  return taken !== null || isThere;
}

/** It was there before the operation began, and after it was over. */
export function wasThereAll(stay: Stay, { invokedStep, completedStep }: Operation): boolean {
  const { put } = stay;
  return (
    isKnown(stay) &&
    put.completedStep >= 0 &&
    !isDoubtful(put) &&
    put.completedStep < invokedStep &&
    takenFrom(stay) > completedStep
  );
}

/** Throws when two operations were given the same one. `what`: who is given one, for the message. */
export function ownersOf<Item extends { readonly element: string; readonly by: Operation }>(
  takings: readonly Item[],
  what: string,
): ReadonlyMap<string, Operation> {
  const owners = new Map<string, Operation>();
  for (const { element, by } of takings) {
    const other = owners.get(element);
    if (other !== undefined)
      throw new Error(
        `${element} was ${what} twice: by ${other.client} (${other.args.join(" ")}) and ${by.client} (${by.args.join(" ")})`,
      );
    owners.set(element, by);
  }
  return owners;
}
