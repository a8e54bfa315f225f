/** What WAIT has to ask about: the last writes of a client to one shard that were answered, and whether anything is uncertain since. */

/** Changes of leader over which WAIT can vouch for a connection. */
const EARLIER_WRITES_MAX = 16;

export class LastWrites {
  /** Of the last write that was answered; 0: none. */
  term: number = 0;
  index: number = 0;
  /** A write later than that was lost: nobody can say whether it counts. */
  isLost: boolean = false;
  /**
   * The last writes answered in earlier terms. A leader that follows need not have what its predecessor acknowledged early, so each has to be asked for
   * by itself: the newest alone would vouch for writes that are gone (I15).
   */
  readonly earlier: { readonly term: number; readonly index: number }[] = [];
  /** More of them than are kept: WAIT says so once. */
  isCut: boolean = false;

  note(term: number, index: number): void {
    this.isLost = false;
    if (term > this.term) {
      if (this.term > 0) this.earlier.push({ term: this.term, index: this.index });
      if (this.earlier.length > EARLIER_WRITES_MAX) {
        this.earlier.shift();
        this.isCut = true;
      }
      this.term = term;
      this.index = index;
    } else if (term === this.term && index > this.index) {
      this.index = index;
    }
  }

  /** WAIT has said that a failover may have taken some back: from here on it speaks of the later ones. */
  forgetEarlier(): void {
    this.earlier.length = 0;
    this.isCut = false;
  }
}
