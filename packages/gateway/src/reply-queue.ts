/**
 * The order of one client's replies. A slot is a run of consecutive requests whose replies come from one place (a shard, or the gateway
 * itself); slots stand in the order of the requests. Replies of the first slot go straight to the socket, undecoded; those of later slots
 * wait in their slot, by reference.
 *
 * Must not know where replies come from, nor what they say.
 */

/** Where the bytes of the client finally go. */
export interface ReplyOutput {
  append(bytes: Uint8Array, start: number, end: number): void;
  /** More is held back: it counts as output too. */
  held(): void;
}

/** Called once when a slot becomes the first: everything before it has been answered (WAIT starts then). */
export type OnFirst = () => void;

export class ReplySlot {
  /** Replies still to come. */
  remaining: number;
  /** Came too early. */
  held: Uint8Array | null;
  moreHeld: Uint8Array[] | null;
  onFirst: OnFirst | null;
  /** Its replies are dropped: CLIENT REPLY OFF or SKIP. */
  isSilent: boolean;

  constructor(remaining: number) {
    this.remaining = remaining;
    this.isSilent = false;
    this.held = null;
    this.moreHeld = null;
    this.onFirst = null;
  }
}

const COMPACT_AT = 256;

export class ReplyQueue {
  /** Bytes held back for order. */
  heldBytes: number = 0;
  /** Replies outstanding in all slots. */
  outstanding: number = 0;
  /** Slots that are pushed from here on are silent. */
  isSilent: boolean = false;
  readonly #output: ReplyOutput;
  #slots: ReplySlot[] = [];
  /** Index of the first slot; what is before it is done. */
  #first: number = 0;

  constructor(output: ReplyOutput) {
    this.#output = output;
  }

  get isEmpty(): boolean {
    return this.#first === this.#slots.length;
  }

  push(slot: ReplySlot): void {
    const wasEmpty = this.isEmpty;
    slot.isSilent = this.isSilent;
    this.#slots.push(slot);
    this.outstanding += slot.remaining;
    if (wasEmpty) this.#callOnFirst(slot);
  }

  /** `count` replies of the slot, in the order of its requests. The bytes may be kept by reference. */
  deliver(slot: ReplySlot, count: number, bytes: Uint8Array, start: number, end: number): void {
    slot.remaining -= count;
    this.outstanding -= count;
    if (slot === this.#slots[this.#first]) {
      if (!slot.isSilent) this.#output.append(bytes, start, end);
      if (slot.remaining === 0) this.#advance();
      return;
    }
    if (slot.isSilent) return;
    this.heldBytes += end - start;
    const piece = bytes.subarray(start, end);
    if (slot.held === null) slot.held = piece;
    else if (slot.moreHeld === null) slot.moreHeld = [piece];
    else slot.moreHeld.push(piece);
    this.#output.held();
  }

  clear(): void {
    this.#slots = [];
    this.#first = 0;
    this.heldBytes = 0;
    this.outstanding = 0;
  }

  #advance(): void {
    for (;;) {
      this.#first++;
      if (this.#first === this.#slots.length) {
        this.#slots.length = 0;
        this.#first = 0;
        return;
      }
      if (this.#first >= COMPACT_AT && this.#first * 2 > this.#slots.length) {
        this.#slots.splice(0, this.#first);
        this.#first = 0;
      }
      const slot = this.#slots[this.#first]!;
      if (slot.held !== null) this.#release(slot);
      if (slot.remaining > 0) {
        this.#callOnFirst(slot);
        return;
      }
    }
  }

  #release(slot: ReplySlot): void {
    this.#append(slot.held!);
    if (slot.moreHeld !== null) for (const piece of slot.moreHeld) this.#append(piece);
    slot.held = null;
    slot.moreHeld = null;
  }

  #append(piece: Uint8Array): void {
    this.heldBytes -= piece.length;
    this.#output.append(piece, 0, piece.length);
  }

  #callOnFirst(slot: ReplySlot): void {
    if (slot.onFirst === null) return;
    const onFirst = slot.onFirst;
    slot.onFirst = null;
    onFirst();
  }
}
