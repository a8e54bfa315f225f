/** A store whose database can't be written to any more after a full disk: opened again in the same process, nothing durable is lost. */
import { expect, test } from "vitest";
import type { Done, FailureReason, KvChange, KvSnapshot, KvStore, Result } from "@headrace/ports";
import { settleByWaiting, valueOf } from "@headrace/testkit/conformance/settle.ts";
import { openAgainWhenSpoilt, type SpoilableStore } from "../src/reopening-store.ts";

/** What outlives an opening. */
class Disk {
  readonly rows: Map<string, string> = new Map();
  isFull = false;
  /** The next opening fails so. */
  openingFails: FailureReason | null = null;
  openings = 0;
  closings = 0;
  writesIntoSpoilt = 0;

  open(done: Done<SpoilableStore>): void {
    const { openingFails } = this;
    if (openingFails !== null) setImmediate(done, { ok: false, reason: openingFails, message: "opening" });
    else {
      this.openings++;
      setImmediate(done, { ok: true, value: new FakeStore(this) });
    }
  }
}

class FakeStore implements SpoilableStore {
  readonly #disk: Disk;
  isSpoilt = false;
  #snapshots = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  write(changes: readonly KvChange[], done: Done<void>): void {
    if (this.isSpoilt) this.#disk.writesIntoSpoilt++;
    if (this.#disk.isFull || this.isSpoilt) {
      this.isSpoilt = true;
      setImmediate(done, { ok: false, reason: "space", message: "no space left" });
      return;
    }
    for (const { key, value } of changes) this.#disk.rows.set(String(key), String(value));
    setImmediate(done, { ok: true, value: undefined });
  }

  get(key: Uint8Array, _snapshot: KvSnapshot | null, done: Done<Uint8Array | null>): void {
    const found = this.#disk.rows.get(String(key));
    setImmediate(done, { ok: true, value: found === undefined ? null : Buffer.from(found) });
  }

  getNow(key: Uint8Array): Result<Uint8Array | null> {
    const found = this.#disk.rows.get(String(key));
    return { ok: true, value: found === undefined ? null : Buffer.from(found) };
  }

  scan(...args: Parameters<KvStore["scan"]>): void {
    setImmediate(args[5], { ok: true, value: [] });
  }

  keys(from: Uint8Array, to: Uint8Array, limitRows: number, done: Done<readonly Uint8Array[]>): void {
    this.scan(from, to, limitRows, Infinity, null, (rows) => {
      done(rows.ok ? { ok: true, value: rows.value.map(({ key }) => key) } : rows);
    });
  }

  snapshot(): KvSnapshot {
    return { id: ++this.#snapshots };
  }

  giveBack(): void {}

  release(): void {}

  close(done: Done<void>): void {
    this.#disk.closings++;
    setImmediate(done, { ok: true, value: undefined });
  }
}

async function opened(disk: Disk): Promise<KvStore> {
  return valueOf(await settleByWaiting<KvStore>((done) => openAgainWhenSpoilt((open) => disk.open(open), done)));
}

const key = Buffer.from("k");

function put(store: KvStore, value: string): Promise<Result<void>> {
  return settleByWaiting<void>((done) => store.write([{ key, value: Buffer.from(value) }], done));
}

function read(store: KvStore, snapshot: KvSnapshot | null = null): Promise<Result<Uint8Array | null>> {
  return settleByWaiting<Uint8Array | null>((done) => store.get(key, snapshot, done));
}

function close(store: KvStore): Promise<Result<void>> {
  return settleByWaiting<void>((done) => store.close(done));
}

test("after a batch that found no space the store is opened again before the next one, and what was there stays", async () => {
  const disk = new Disk();
  const store = await opened(disk);
  expect((await put(store, "1")).ok).toBe(true);
  disk.isFull = true;
  expect(await put(store, "2")).toMatchObject({ ok: false, reason: "space" });
  // Reading needs no other store.
  expect(String(valueOf(await read(store)))).toBe("1");
  expect([disk.openings, disk.closings]).toEqual([1, 0]);
  disk.isFull = false;
  const [written, seen] = await Promise.all([put(store, "3"), read(store)]);
  expect(written.ok).toBe(true);
  expect(seen.ok).toBe(true);
  expect(String(valueOf(await read(store)))).toBe("3");
  expect([disk.openings, disk.closings, disk.writesIntoSpoilt]).toEqual([2, 1, 0]);
  await close(store);
});

test("while it can't be opened for lack of space writes are refused, reads wait, and it opens by itself once there is space", async () => {
  const disk = new Disk();
  const store = await opened(disk);
  await put(store, "1");
  disk.isFull = true;
  disk.openingFails = "space";
  expect(await put(store, "2")).toMatchObject({ ok: false, reason: "space" });
  const reading = read(store);
  expect(String(valueOf(await reading))).toBe("1");
  const [refused, alsoReading] = [put(store, "2"), read(store)];
  expect(await refused).toMatchObject({ ok: false, reason: "space" });
  expect(await put(store, "2")).toMatchObject({ ok: false, reason: "space" });
  // Who can't wait is told that waiting would do.
  expect(store.getNow(key)).toMatchObject({ ok: false, reason: "later" });
  disk.isFull = false;
  disk.openingFails = null;
  expect(String(valueOf(await alsoReading))).toBe("1");
  expect((await put(store, "3")).ok).toBe(true);
  expect((await close(store)).ok).toBe(true);
  expect(disk.rows.get("k")).toBe("3");
});

test("a snapshot from before is lost, one from after is not", async () => {
  const disk = new Disk();
  const store = await opened(disk);
  const before = store.snapshot();
  expect((await read(store, before)).ok).toBe(true);
  disk.isFull = true;
  await put(store, "1");
  disk.isFull = false;
  await put(store, "1");
  expect(await read(store, before)).toMatchObject({ ok: false, reason: "closed" });
  store.release(before);
  const after = store.snapshot();
  expect((await read(store, after)).ok).toBe(true);
  store.release(after);
  await close(store);
});

test("an opening that fails for another reason is told to everyone, for good", async () => {
  const disk = new Disk();
  const store = await opened(disk);
  disk.isFull = true;
  await put(store, "1");
  disk.openingFails = "io";
  const all = await Promise.all([put(store, "2"), read(store)]);
  for (const each of all) expect(each).toMatchObject({ ok: false, reason: "io", message: "opening" });
  expect(await put(store, "3")).toMatchObject({ ok: false, reason: "io" });
  expect(store.getNow(key)).toMatchObject({ ok: false, reason: "io" });
  expect((await close(store)).ok).toBe(true);
});

test("it can be closed in the middle of being opened again: once, and nothing is left open", async () => {
  for (const failing of [false, true]) {
    const disk = new Disk();
    const store = await opened(disk);
    disk.isFull = true;
    await put(store, "1");
    if (failing) disk.openingFails = "space";
    disk.isFull = failing;
    const writing = put(store, "2");
    const closing = close(store);
    expect(store.getNow(key)).toMatchObject({ ok: false, reason: "closed" });
    expect(await put(store, "3")).toMatchObject({ ok: false, reason: "closed" });
    expect((await closing).ok).toBe(true);
    expect((await writing).ok).toBe(!failing);
    expect(disk.closings).toBe(disk.openings);
  }
});
