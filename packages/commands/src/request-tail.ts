/** A request seen from argument `first` on, as if it were one of its own: COMMAND GETKEYS looks into its arguments so. */
import type { Request } from "@headrace/resp";

export class RequestTail implements Request {
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly rawStart: number;
  readonly rawEnd: number;
  readonly #whole: Request;
  readonly #first: number;

  constructor(whole: Request, first: number) {
    this.bytes = whole.bytes;
    this.count = whole.count - first;
    this.rawStart = whole.headerStart(first);
    this.rawEnd = whole.rawEnd;
    this.#whole = whole;
    this.#first = first;
  }

  start(i: number): number {
    return this.#whole.start(this.#first + i);
  }

  end(i: number): number {
    return this.#whole.end(this.#first + i);
  }

  headerStart(i: number): number {
    return this.#whole.headerStart(this.#first + i);
  }

  latin1(i: number): string {
    return this.#whole.latin1(this.#first + i);
  }

  is(i: number, upperCase: string): boolean {
    return this.#whole.is(this.#first + i, upperCase);
  }

  integer(i: number): number {
    return this.#whole.integer(this.#first + i);
  }

  int64(i: number): bigint | null {
    return this.#whole.int64(this.#first + i);
  }
}
