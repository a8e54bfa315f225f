/** Members on their way: where each lies, in whose bytes. Nothing is copied, so it is good until one of the sets that they lie in changes. */
export class MemberList {
  readonly #sources: Uint8Array[];
  readonly #bounds: number[];
  /** Of all members, lengths not counted. */
  byteLength: number;
  /** They come from a set that was no intset: one that is made of them all is none either. */
  wasTable: boolean;

  constructor() {
    this.#sources = [];
    this.#bounds = [];
    this.byteLength = 0;
    this.wasTable = false;
  }

  get count(): number {
    return this.#sources.length;
  }

  push(bytes: Uint8Array, start: number, end: number): void {
    this.#sources.push(bytes);
    this.#bounds.push(start, end);
    this.byteLength += end - start;
  }

  forEach(visit: (bytes: Uint8Array, start: number, end: number) => void): void {
    for (let i = 0; i < this.#sources.length; i++) {
      visit(this.#sources[i]!, this.#bounds[2 * i]!, this.#bounds[2 * i + 1]!);
    }
  }
}
