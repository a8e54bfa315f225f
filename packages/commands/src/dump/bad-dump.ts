/** A payload that is not what it says: thrown by the readers in this folder, caught where RESTORE answers. Never for what we do wrong. */
export class BadDumpError extends Error {
  override name: string = "BadDumpError";
}
