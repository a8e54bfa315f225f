/** Who leads a group, told to the node when it has changed. */

export class LeaderNews {
  readonly #tell: (leader: number, term: number, ready: boolean) => void;
  #leader: number;
  #term: number;
  #ready: boolean;

  constructor(tell: (leader: number, term: number, ready: boolean) => void) {
    this.#tell = tell;
    this.#leader = 0;
    this.#term = 0;
    this.#ready = false;
  }

  /** `leader` 0: none known. `ready`: this replica leads and serves. */
  now(leader: number, term: number, ready: boolean): void {
    if (leader === this.#leader && term === this.#term && ready === this.#ready) return;
    this.#leader = leader;
    this.#term = term;
    this.#ready = ready;
    this.#tell(leader, term, ready);
  }
}
