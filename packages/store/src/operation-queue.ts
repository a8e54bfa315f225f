/** At most so many operations at once; the others wait. What is asked for with `runFirst` goes before what waits. */

type Operation = (finish: () => void) => void;

export class OperationQueue {
  readonly #max: number;
  #running = 0;
  #waitingFirst: Operation[] = [];
  #waiting: Operation[] = [];
  #onIdle: (() => void) | null = null;

  constructor(max: number) {
    this.#max = max;
  }

  run(operation: Operation): void {
    this.#waiting.push(operation);
    this.#startNext();
  }

  runFirst(operation: Operation): void {
    this.#waitingFirst.push(operation);
    this.#startNext();
  }

  /** Whether an operation would begin at once. */
  get hasRoom(): boolean {
    return this.#running < this.#max;
  }

  /** Once nothing runs or waits; `run` must not be called any more. */
  whenIdle(onIdle: () => void): void {
    this.#onIdle = onIdle;
    this.#startNext();
  }

  #startNext(): void {
    while (this.#running < this.#max) {
      const operation = this.#waitingFirst.shift() ?? this.#waiting.shift();
      if (operation === undefined) break;
      this.#running++;
      operation(() => {
        this.#running--;
        this.#startNext();
      });
    }
    const onIdle = this.#onIdle;
    if (onIdle === null || this.#running > 0 || this.#waiting.length + this.#waitingFirst.length > 0) return;
    this.#onIdle = null;
    onIdle();
  }
}
