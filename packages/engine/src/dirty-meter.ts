/** How many bytes a capture would write now, roughly; one object shared by everything of a shard that can become dirty. */
export class DirtyMeter {
  bytes: number;

  constructor() {
    this.bytes = 0;
  }
}
