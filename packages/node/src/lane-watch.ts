/** What one lane watches at its leader: the flag, and how many WATCH calls made it. A client counts them too; only if both agree has every one of them
 * been seen by this leader in this term, on this link. */
import { KeyWatch } from "@headrace/engine";

export class LaneWatch {
  readonly flag: KeyWatch;
  calls: number;

  constructor() {
    this.flag = new KeyWatch();
    this.calls = 0;
  }
}
