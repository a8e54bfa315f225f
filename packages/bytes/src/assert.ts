/** We are wrong: the process must stop before it does harm. Never used for what a user or the world can cause. */
export class AssertionError extends Error {
  override name: string = "AssertionError";
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}
