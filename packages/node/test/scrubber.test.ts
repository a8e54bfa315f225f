/** Scrubbing one replica's rows: which damage it finds, how fast it reads, and when it does not. */
import { compareBytes } from "@headrace/bytes";
import { dataSlot } from "@headrace/engine";
import type { KvRow } from "@headrace/ports";
import { describe, expect, test } from "vitest";
import { GENERATION_BYTES } from "../src/checkpoint-row.ts";
import { Scrubber, type ScrubberConfig } from "../src/scrubber.ts";
import { silentLogger } from "../testing/manual-world.ts";
import { ShardCluster, type ClusterOptions, type TestReplica } from "../testing/shard-cluster.ts";
import { GROUP } from "../testing/test-lane.ts";

const EVERY_MS = 100_000;
const PAGE = 9;

class Scene {
  readonly cluster: ShardCluster;
  readonly replica: TestReplica;
  readonly scrubber: Scrubber;
  readonly damage: string[] = [];
  isBusy = false;
  isThere = true;
  isReplacing = false;

  constructor(config: Partial<ScrubberConfig> = {}, options: Partial<ClusterOptions> = {}) {
    this.cluster = new ShardCluster({ replicas: 1, ...options });
    this.replica = this.cluster.elect();
    const { time } = this.cluster;
    const world = { clock: time, scheduler: time, kvStore: this.replica.kv, logger: silentLogger };
    const full = { scrubBytesPerSecond: 1e9, scrubStepBytes: 256 * 1024, scrubEveryMs: EVERY_MS, ...config };
    this.scrubber = new Scrubber(world, full, {
      shardIds: () => [GROUP],
      shard: () => (this.isThere ? { stored: this.isReplacing ? null : this.replica.up.stored } : null),
      isBusy: () => this.isBusy,
      onDamaged: (groupId, message) => this.damage.push(`${groupId}: ${message}`),
    });
  }

  /** Three sealed blocks of `s` and its tail, a group, and a second stream. */
  fill(): void {
    const lane = this.replica.lane();
    for (let ms = 1; ms <= 100; ms++) lane.send(`XADD s ${ms}-0 f ${"v".repeat(1100)}`);
    lane.send("XGROUP CREATE s g 0", "XREADGROUP GROUP g c COUNT 5 STREAMS s >", "XDEL s 3-0", "XADD t 1-0 f v");
    this.store();
  }

  store(): void {
    this.replica.up.checkpoint(() => {});
    this.cluster.settle();
  }

  /** From its beginning to its end, where its rate has no bound worth the name. */
  round(): void {
    const { rounds } = this.scrubber.status();
    if (rounds === 0) this.scrubber.start();
    this.cluster.pass(EVERY_MS / (rounds === 0 ? 100 : 1));
    this.cluster.pass(1000);
    expect(this.scrubber.status()["rounds"]).toBe(rounds! + 1);
    expect(this.replica.kv.openSnapshots).toBe(0);
  }

  rows(): KvRow[] {
    return this.replica.kv.rows as KvRow[];
  }

  /** The nth row of entries in the order of their keys. */
  dataRow(n: number): KvRow {
    return this.rows().filter(({ key }) => key.length > 7 && (key[GENERATION_BYTES]! & (dataSlot(0) >> 8)) !== 0)[n]!;
  }

  /** The first row of the kind in the directory. */
  row(kind: number): KvRow {
    return this.rows().find(({ key }) => key.length >= 13 && key[GENERATION_BYTES]! < 0x80 && key[12] === kind)!;
  }

  put(key: Uint8Array, value: Uint8Array | null): void {
    this.replica.kv.write([{ key, value }], () => {});
    this.cluster.settle();
  }

  flip({ key, value }: KvRow, at: number): void {
    const changed = value.slice();
    changed[at]! ^= 1;
    this.put(key, changed);
  }
}

function filled(config: Partial<ScrubberConfig> = {}): Scene {
  const scene = new Scene(config);
  scene.fill();
  return scene;
}

describe("a round", () => {
  test("reads every row of the replica once, in however small steps, and finds nothing where nothing is damaged", () => {
    for (const scrubStepBytes of [1, 1000, 40_000, 1e9]) {
      const scene = filled({ scrubStepBytes });
      scene.round();
      const rows = scene.rows();
      expect(rows.length).toBeGreaterThan(9);
      expect(scene.scrubber.status()).toEqual({
        rows: rows.length,
        bytes: rows.reduce((sum, { value }) => sum + value.length, 0),
        rounds: 1,
        damaged: 0,
        unread: 0,
      });
      expect(scene.damage).toEqual([]);
    }
  });

  test("comes again when its time has come, not before", () => {
    const scene = filled();
    scene.round();
    const { bytes } = scene.scrubber.status();
    scene.cluster.pass(EVERY_MS - 2000);
    expect(scene.scrubber.status()).toMatchObject({ rounds: 1, bytes });
    scene.cluster.pass(2000);
    expect(scene.scrubber.status()).toMatchObject({ rounds: 2, bytes: 2 * bytes! });
  });

  test("of a replica that is empty finds nothing missing", () => {
    const scene = new Scene();
    scene.round();
    expect(scene.damage).toEqual([]);
  });

  test("goes by the line of a block that was sealed and is the last one again as its stream has it, not as its page had it", () => {
    const scene = filled();
    const lane = scene.replica.lane();
    const entries = (from: number, to: number): string =>
      Array.from({ length: to - from + 1 }, (_, i) => `${from + i}-0`).join(" ");
    // All of the last block, and the end of the one before it.
    const page = scene.row(PAGE);
    lane.send(`XDEL s ${entries(70, 100)}`, `XADD s 101-0 f ${"w".repeat(1100)}`);
    scene.store();
    expect(scene.row(PAGE).value).not.toEqual(page.value);
    // As programs of before left it.
    scene.put(page.key, page.value);
    scene.round();
    expect(scene.damage).toEqual([]);
  });

  test("that stands in the middle of a stream that is deleted then goes on with all of the next one", () => {
    const scene = new Scene({ scrubStepBytes: 1, scrubBytesPerSecond: 1e6 });
    const lane = scene.replica.lane();
    for (let ms = 1; ms <= 100; ms++) lane.send(`XADD {x}1 ${ms}-0 f ${"v".repeat(1100)}`);
    lane.send(`XADD {x}2 1-0 f v`);
    scene.store();
    scene.scrubber.start();
    scene.cluster.time.pass(EVERY_MS / 100);
    // The checkpoint row, the header and the last block; the page, and two of its blocks.
    while (scene.scrubber.status()["rows"]! < 6) scene.cluster.pass(1);
    lane.send("DEL {x}1");
    scene.store();
    expect(scene.rows()).toHaveLength(3);
    scene.flip(scene.dataRow(0), 20);
    scene.cluster.pass(1000);
    expect(scene.damage).toHaveLength(1);
  });

  test("finds nothing wrong with what is written, sealed, trimmed, deleted and made again meanwhile", () => {
    const scene = new Scene(
      { scrubStepBytes: 3000, scrubEveryMs: 50 },
      { limits: { checkpointBytes: 4000, checkpointIntervalMs: 10 } },
    );
    const lane = scene.replica.lane();
    const value = "v".repeat(900);
    scene.scrubber.start();
    for (let ms = 1; ms <= 1500; ms++) {
      lane.send(`XADD s${ms % 3} ${ms}-0 f ${value}`);
      if (ms % 50 === 0) lane.send(`XTRIM s0 MAXLEN 40`, `XDEL s1 ${ms - 48}-0 ${ms - 2}-0`, "DEL s2");
      // What was sealed becomes the last block again.
      if (ms % 130 === 0) lane.send(`XDEL s1 ${Array.from({ length: 60 }, (_, i) => `${ms - i}-0`).join(" ")}`);
      if (ms % 700 === 0) lane.send("FLUSHALL");
      if (ms % 3 === 0) scene.cluster.pass(10);
    }
    scene.cluster.pass(500);
    expect(scene.damage).toEqual([]);
    expect(scene.scrubber.status()["rounds"]).toBeGreaterThan(20);
  });
});

describe("damage that is found", () => {
  function expectFound(scene: Scene, message: RegExp): void {
    scene.round();
    expect(scene.damage).toHaveLength(1);
    expect(scene.damage[0]).toMatch(message);
    expect(scene.scrubber.status()).toMatchObject({ damaged: 1, unread: 0 });
  }

  test("a bit of any row, wherever it is", () => {
    const kinds = new Set<number>();
    const count = filled().rows().length;
    for (let i = 0; i < count; i++) {
      const scene = filled();
      const row = scene.rows()[i]!;
      if (row.key.length > 12) kinds.add(row.key[12]!);
      scene.flip(row, row.value.length >> 1);
      expectFound(scene, /^3: found by scrubbing: .*does not match its checksum/);
    }
    // Stream, fragment, marks, group, consumer, leaf, page.
    expect([...kinds].sort((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 9]);
  });

  test("a row of entries that is missing: of a sealed block, and of the last one", () => {
    for (const n of [0, 3]) {
      const scene = filled();
      scene.put(scene.dataRow(n).key, null);
      expectFound(scene, /entries of block \d are missing \(row [0-9a-f]+\)$/);
    }
  });

  test("a row of entries that is whole, but of another time", () => {
    const scene = filled();
    // The last block's first row; more of it is in the store later.
    const { key, value } = scene.dataRow(3);
    const lane = scene.replica.lane();
    for (let ms = 101; ms <= 160; ms++) lane.send(`XADD s ${ms}-0 f ${"w".repeat(1100)}`);
    scene.store();
    const now = scene.rows().find((row) => compareBytes(row.key, key) === 0)!;
    expect(now.value).not.toEqual(value);
    scene.put(key, value);
    expectFound(scene, /fragments of a block do not join|shorter or longer/);
  });

  test("a page without its stream", () => {
    const scene = filled();
    scene.put(scene.row(1).key, null);
    expectFound(scene, /a row of a key without a header/);
    expect(scene.row(PAGE)).toBeDefined();
  });

  test("a checkpoint row that is missing", () => {
    const scene = filled();
    scene.put(scene.rows().find(({ key }) => key.length === 7)!.key, null);
    expectFound(scene, /the checkpoint row is missing/);
  });

  test("is told again by the next round, while it is there", () => {
    const scene = filled();
    scene.flip(scene.dataRow(1), 100);
    scene.round();
    scene.round();
    expect(scene.damage).toHaveLength(2);
    expect(scene.damage[1]).toBe(scene.damage[0]);
  });

  test("is not what the disk does not answer", () => {
    const scene = filled();
    scene.replica.kv.readFailure = { ok: false, reason: "io", message: "EIO" };
    scene.round();
    expect(scene.damage).toEqual([]);
    expect(scene.scrubber.status()).toMatchObject({ damaged: 0, unread: 1 });
  });
});

describe("the rate", () => {
  test("is kept over steps: each is paid for before the next", () => {
    const scene = filled({ scrubStepBytes: 1000, scrubBytesPerSecond: 20_000 });
    scene.scrubber.start();
    scene.cluster.pass(EVERY_MS / 100);
    const begunMs = scene.cluster.time.monotonicMs();
    // A step is as large as a row at most, and one of entries has about 33 KB.
    const largest = Math.max(...scene.rows().map(({ value }) => value.length)) + 2000;
    let last = 0;
    while (scene.scrubber.status()["rounds"] === 0) {
      scene.cluster.pass(10);
      const seconds = (scene.cluster.time.monotonicMs() - begunMs) / 1000;
      const { bytes } = scene.scrubber.status();
      expect(bytes!).toBeLessThanOrEqual(seconds * 20_000 + largest);
      last = seconds;
    }
    // The last step is not waited for.
    expect(last).toBeGreaterThan((scene.scrubber.status()["bytes"]! - largest) / 20_000);
  });

  test("0: nothing is ever read", () => {
    const scene = filled({ scrubBytesPerSecond: 0 });
    scene.scrubber.start();
    scene.cluster.pass(3 * EVERY_MS);
    expect(scene.scrubber.status()).toMatchObject({ rows: 0, rounds: 0 });
  });
});

describe("no step begins", () => {
  function expectToWait(until: (scene: Scene) => void, from: (scene: Scene) => void): void {
    const scene = filled({ scrubStepBytes: 1 });
    from(scene);
    scene.scrubber.start();
    scene.cluster.pass(EVERY_MS / 100 + 1000);
    expect(scene.scrubber.status()["rows"]).toBe(0);
    until(scene);
    scene.cluster.pass(1000);
    expect(scene.scrubber.status()).toMatchObject({ rounds: 1, rows: scene.rows().length });
  }

  test("while others wait for the disk", () => {
    expectToWait(
      (scene) => (scene.isBusy = false),
      (scene) => (scene.isBusy = true),
    );
  });

  test("while the state is being loaded anew", () => {
    expectToWait(
      (scene) => (scene.isReplacing = false),
      (scene) => (scene.isReplacing = true),
    );
  });

  test("of a replica that is gone, and the round goes on to its end", () => {
    const scene = filled();
    scene.isThere = false;
    scene.round();
    expect(scene.scrubber.status()["rows"]).toBe(0);
  });

  test("after it was stopped, and a view that is open is given back", () => {
    const scene = filled();
    scene.scrubber.start();
    scene.cluster.time.pass(EVERY_MS / 100);
    while (scene.replica.kv.openSnapshots === 0) scene.cluster.run(1);
    scene.scrubber.stop();
    expect(scene.replica.kv.openSnapshots).toBe(0);
    scene.cluster.pass(EVERY_MS);
    expect(scene.scrubber.status()).toMatchObject({ rows: 0, rounds: 0 });
  });
});
