/** What a stream knows of idempotent ids, as one plain list written from Redis' description: a window of time and a number for each producer. */
export class ModelIdempotence {
  seconds = 100;
  iidsMax = 100;
  added = 0;
  duplicates = 0;
  records: { readonly producer: string; readonly iid: string; readonly ms: number }[] = [];

  find(producer: string, iid: string, nowMs: number): number | null {
    const known = this.#young(nowMs).find((record) => record.producer === producer && record.iid === iid);
    return known === undefined ? null : known.ms;
  }

  record(producer: string, iid: string, ms: number, nowMs: number): void {
    this.records = this.#young(nowMs);
    const own = this.records.filter((record) => record.producer === producer);
    const surplus = new Set(own.slice(0, Math.max(0, own.length + 1 - this.iidsMax)));
    this.records = this.records.filter((record) => !surplus.has(record));
    this.records.push({ producer, iid, ms });
    this.added++;
  }

  configure(seconds: number, iidsMax: number): void {
    if (seconds !== this.seconds || iidsMax !== this.iidsMax) this.records = [];
    this.seconds = seconds;
    this.iidsMax = iidsMax;
  }

  tracked(nowMs: number): { readonly producers: number; readonly iids: number } {
    const young = this.#young(nowMs);
    return { producers: new Set(young.map(({ producer }) => producer)).size, iids: young.length };
  }

  #young(nowMs: number): ModelIdempotence["records"] {
    return this.records.filter(({ ms }) => ms >= nowMs - this.seconds * 1000);
  }
}
