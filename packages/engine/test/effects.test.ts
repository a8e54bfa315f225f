/** The batch: its form, its origins, and what a reader may rely on while it is open. */
import { describe, expect, test } from "vitest";
import { type Effects, MAX_ID, MIN_ID, ShardState, StreamId, UnknownEffectError } from "../src/index.ts";
import { add, batch, bulk, DEFAULT_BOUNDS, id, streamOf, wireOf } from "./entries.ts";
import { RowStore } from "./state-driver.ts";

describe("a batch", () => {
  test("with nothing in it leaves no log entry and the index where it was", () => {
    const state = new ShardState();
    state.openBatch(1, 50);
    expect(state.sealBatch()).toBe(null);
    expect(state.index).toBe(0);
    expect(state.logTimeMs).toBe(0);
  });

  test("holds consecutive appends to one stream as one effect, ids and lengths as columns", () => {
    const state = new ShardState();
    const fields = bulk("f", "v");
    const payload = batch(state, (effects) => {
      for (let i = 1; i <= 200; i++) effects.append("k", id(i), 2, fields, 0, fields.length, DEFAULT_BOUNDS);
      expect(effects.count).toBe(200);
      expect(effects.byteLength).toBeGreaterThan(200 * 40);
    })!;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
    expect([payload[0], payload[1], view.getFloat64(4, true), view.getUint32(12, true)]).toEqual([1, 1, 1000, 1]);
    // type, version, body to the end
    expect([payload[16], payload[17], view.getUint32(20, true)]).toEqual([1, 1, payload.length - 24]);
    const entry = `*2\r\n$3\r\n1-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n`;
    expect(Buffer.from(payload.subarray(33, 33 + entry.length)).toString()).toBe(entry);
  });

  test("shows its effects to readers at once", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      add(effects, "k", 5);
      expect(streamOf(state, "k").lastId.toString()).toBe("5-0");
      expect(state.keyspace.lastWriterIndex("k")).toBe(1);
      effects.deleteEntries("k", [id(5)]);
      expect(streamOf(state, "k").length).toBe(0);
      add(effects, "k", 6);
      expect(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID)).toBe("*2\r\n$3\r\n6-0\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
    });
  });

  test("keeps ids up to 2^64−1 in the wire form", () => {
    const state = new ShardState();
    const fields = bulk("f", "v");
    batch(state, (effects) => effects.append("k", MAX_ID, 2, fields, 0, fields.length, DEFAULT_BOUNDS));
    expect(wireOf(streamOf(state, "k"), MIN_ID, MAX_ID)).toBe(
      "*2\r\n$41\r\n18446744073709551615-18446744073709551615\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n",
    );
  });

  test("takes log time from the wall clock but never backwards", () => {
    const state = new ShardState();
    batch(state, (effects) => add(effects, "k", 1));
    expect(state.openBatch(2, 10).logTimeMs).toBe(1000);
  });

  test("of an unknown format, kind, type or version stops the replica before anything is changed", () => {
    const payload = batch(new ShardState(), (effects) => {
      effects.createStream("k");
      effects.createStream("l");
    })!;
    const secondEffect = 16 + 8 + 5;
    for (const [at, value] of [
      [0, 2],
      [1, 9],
      [secondEffect, 200],
      [secondEffect, 0],
      [secondEffect + 1, 2],
    ] as const) {
      const changed = payload.slice();
      changed[at] = value;
      const follower = new ShardState();
      expect(() => follower.apply(changed, 1)).toThrow(UnknownEffectError);
      expect(follower.keyspace.size).toBe(0);
      expect(follower.index).toBe(0);
    }
  });

  test("may name an id twice: it is deleted, or acknowledged, once", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      for (const ms of [1, 2]) add(effects, "k", ms);
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 1);
      effects.deliver("k", "g", "c", id(2), 2, 1, false);
      effects.acknowledge("k", "g", [id(1), id(1)]);
      effects.deleteEntries("k", [id(2), id(2)]);
    });
    expect(streamOf(state, "k").length).toBe(1);
    expect(streamOf(state, "k").group("g")!.consumer("c")!.pendingCount).toBe(1);
    state.verify();
  });

  test("refuses what a handler must never ask for", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      add(effects, "k", 5);
      expect(() => add(effects, "k", 5)).toThrow("not above the last");
      expect(() => effects.deleteEntries("k", [id(4)])).toThrow("does not exist");
      expect(() => effects.acknowledge("k", "g", [])).toThrow("no such group");
      expect(() => effects.createStream("k")).toThrow("key exists");
      expect(() => effects.deleteKey("none")).toThrow("no such key");
    });
    expect(() => state.apply(new Uint8Array(0), 5)).toThrow("out of order");
  });
});

describe("origins", () => {
  test("reach the followers for merged appends and for other effects, highest sequence per session", () => {
    const leader = new ShardState();
    const follower = new ShardState();
    const one = new Uint8Array(16).fill(1);
    const two = new Uint8Array(16).fill(2);
    const text = (session: Uint8Array): string => Buffer.from(session).toString("latin1");
    const payload = batch(leader, (effects) => {
      for (let i = 1; i <= 5; i++) {
        leader.setOrigin(i === 3 ? two : one, i === 3 ? 70 : i);
        add(effects, "k", i);
      }
      leader.setOrigin(two, 71);
      effects.deleteEntries("k", [id(1)]);
      effects.deleteEntries("k", [id(2)]);
      leader.setOrigin(null, 0);
      effects.createStream("other");
    })!;
    follower.apply(payload, 1);
    for (const state of [leader, follower]) {
      expect(state.origins.lastSequence(text(one))).toBe(5);
      expect(state.origins.lastSequence(text(two))).toBe(71);
      expect(state.origins.size).toBe(2);
    }
    // append run, origin, two deletions, createStream
    expect(new DataView(payload.buffer, payload.byteOffset).getUint32(12, true)).toBe(5);
  });

  test("beyond the bound the longest silent session is forgotten, and nobody says that it has written nothing", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      for (let i = 0; i <= 8192; i++) {
        const session = new Uint8Array(16);
        new DataView(session.buffer).setUint32(0, i);
        state.setOrigin(session, 1);
        add(effects, "k", i + 1);
      }
    });
    expect(state.origins.size).toBe(8192);
    expect(state.origins.lastSequence("\0".repeat(16))).toBe(Infinity);
    expect(state.origins.lastSequence(`\0\0\0\x01${"\0".repeat(12)}`)).toBe(1);
  });
});

describe("the keyspace", () => {
  test("remembers a deleted key's last writer until the deletion is committed", () => {
    const state = new ShardState();
    batch(state, (effects) => add(effects, "k", 1));
    batch(state, (effects) => effects.deleteKey("k"));
    expect(state.keyspace.find("k")).toBe(null);
    expect(state.keyspace.lastWriterIndex("k")).toBe(2);
    state.committedTo(1);
    expect(state.keyspace.lastWriterIndex("k")).toBe(2);
    state.committedTo(2);
    expect(state.keyspace.lastWriterIndex("k")).toBe(0);
    batch(state, (effects) => effects.flush());
    expect(state.keyspace.lastWriterIndex("never seen")).toBe(3);
    state.committedTo(3);
    expect(state.keyspace.lastWriterIndex("never seen")).toBe(0);
  });

  test("reports watched keys in the order in which they became ready, once, whatever made them so", () => {
    const state = new ShardState();
    for (const key of ["a", "b", "b", "c"]) state.watchKey(key);
    const payload = batch(state, (effects) => {
      add(effects, "b", 1);
      add(effects, "unwatched", 1);
      add(effects, "a", 1);
      add(effects, "b", 2);
    })!;
    expect([...state.takeTouchedKeys()]).toEqual([
      ["b", true],
      ["a", true],
    ]);
    expect(state.takeTouchedKeys().size).toBe(0);
    state.unwatchKey("b");
    batch(state, (effects) => effects.flush());
    expect(state.takeTouchedKeys()).toEqual(
      new Map([
        ["a", true],
        ["b", true],
      ]),
    );
    state.unwatchKey("b");
    batch(state, (effects) => add(effects, "b", 3));
    expect(state.takeTouchedKeys().size).toBe(0);
    const follower = new ShardState();
    follower.watchKey("a");
    follower.apply(payload, 1);
    expect([...follower.takeTouchedKeys()]).toEqual([["a", true]]);
  });

  test("tells keys that are ready for blocked readers from those where only pending entries, or less, changed", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      add(effects, "k", 1);
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createGroup("k", "h", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 1);
    });
    state.watchKey("k");
    const isReady = (write: (effects: Effects) => void): boolean | undefined => {
      batch(state, write);
      return state.takeTouchedKeys().get("k");
    };
    expect(isReady((effects) => effects.setGroupId("k", "g", MIN_ID, 0))).toBe(false);
    expect(isReady((effects) => effects.deleteConsumer("k", "g", "c"))).toBe(false);
    expect(isReady((effects) => effects.setExpiry("k", 9e12))).toBe(false);
    expect(isReady((effects) => effects.destroyGroup("k", "h"))).toBe(true);
    expect(isReady((effects) => (effects.destroyGroup("k", "g"), effects.setExpiry("k", 9e13)))).toBe(true);
    expect(isReady((effects) => effects.renameKey("k", "{k}2"))).toBe(true);
  });

  test("a scan meets every key that is there the whole time exactly once, whatever comes and goes", () => {
    const state = new ShardState();
    const stable = Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? `{one}${i}` : `key${i}`));
    batch(state, (effects) => {
      stable.forEach((key, i) => {
        effects.createStream(`{one}gone${i}`);
        effects.createStream(key);
      });
    });
    const met = new Map<string, number>();
    let cursor = 0n;
    let calls = 0;
    do {
      cursor = state.keyspace.scan(cursor, 7, ({ key }) => met.set(key, (met.get(key) ?? 0) + 1));
      expect(cursor < 2n ** 53n).toBe(true);
      batch(state, (effects) => {
        for (const i of [calls, 59 - calls]) {
          if (state.keyspace.find(`{one}gone${i}`) !== null) effects.deleteKey(`{one}gone${i}`);
        }
        effects.createStream(`{one}new${calls}`);
      });
      calls++;
    } while (cursor !== 0n && calls < 100);
    expect(cursor).toBe(0n);
    for (const key of stable) expect(met.get(key)).toBe(1);
    for (const times of met.values()) expect(times).toBe(1);
    state.verify();
  });

  test("an empty stream stays a key with its groups", () => {
    const state = new ShardState();
    batch(state, (effects) => {
      add(effects, "k", 1);
      effects.createGroup("k", "g", StreamId.of(0, 0), 0);
      effects.trim("k", streamOf(state, "k").trimByLength(0, false, 0));
    });
    expect(streamOf(state, "k").length).toBe(0);
    expect(streamOf(state, "k").firstId.toString()).toBe("0-0");
    expect(streamOf(state, "k").groupCount).toBe(1);
    expect(streamOf(state, "k").maxDeletedId.toString()).toBe("0-0");
  });
});

describe("the last id", () => {
  // redis-server 7.0.15: XADD 5-0, XADD 7-0, XDEL 7-0, XSETID 9-0 MAXDELETEDID 1-0, XSETID 5-0, XADD 6-0 are all accepted.
  test("may move back behind deleted entries that the tail still holds, and smaller ids follow", () => {
    const leader = new ShardState();
    const follower = new ShardState();
    const store = new RowStore();
    const change = (run: (effects: Effects) => void): void => {
      follower.apply(batch(leader, run)!, leader.index);
      leader.verify();
      store.write(leader.capture());
      expect(store.load().stateHash()).toBe(leader.stateHash());
      expect(follower.stateHash()).toBe(leader.stateHash());
    };
    change((effects) => {
      for (const ms of [5, 6, 7, 8]) add(effects, "k", ms);
    });
    change((effects) => effects.deleteEntries("k", [id(6), id(7), id(8)]));
    change((effects) => effects.setStreamId("k", id(5), 4, id(1)));
    change((effects) => add(effects, "k", 6));
    expect(wireOf(streamOf(leader, "k"), MIN_ID, MAX_ID).match(/\d-0/g)).toEqual(["5-0", "6-0"]);
  });
});

test("a counter that a client set to the greatest number stands still alike on leader and follower", () => {
  const leader = new ShardState();
  const follower = new ShardState();
  const run = (change: (effects: Effects) => void): void => follower.apply(batch(leader, change)!, leader.index);
  run((effects) => add(effects, "k", 1));
  run((effects) => effects.setStreamId("k", id(1), Number.MAX_SAFE_INTEGER - 1, MIN_ID));
  // One by one on the leader, four at once on the follower.
  run((effects) => {
    for (const ms of [2, 3, 4, 5]) add(effects, "k", ms);
  });
  expect(streamOf(leader, "k").entriesAdded).toBe(Number.MAX_SAFE_INTEGER);
  expect(follower.stateHash()).toBe(leader.stateHash());
});

test("entries of many sessions in one run: leader and follower know the same last number of each", () => {
  const leader = new ShardState();
  const follower = new ShardState();
  const fields = bulk("f", "v");
  // More sessions and more runs than the columns begin with; the second batch meets them in another order.
  const sessions = Array.from({ length: 40 }, (_, i) => new Uint8Array(16).fill(i));
  let ms = 0;
  for (const stride of [7, 11]) {
    const payload = batch(leader, (effects) => {
      for (let i = 0; i < 120; i++) {
        const session = (i * stride) % 41;
        leader.setOrigin(session === 40 ? null : sessions[session]!, 1000 * stride + i);
        effects.append("k", id(++ms), 2, fields, 0, fields.length, DEFAULT_BOUNDS);
      }
    })!;
    follower.apply(payload, leader.index);
    expect(follower.stateHash()).toBe(leader.stateHash());
  }
  const last = Math.max(...Array.from({ length: 120 }, (_, i) => i).filter((i) => (i * 11) % 41 === 3));
  for (const state of [leader, follower]) {
    expect(state.origins.size).toBe(40);
    expect(state.origins.lastSequence(String.fromCharCode(3).repeat(16))).toBe(11_000 + last);
  }
});

describe("a stream that was emptied four billion times", () => {
  const LAST = 0xffff_ffff;

  test("counts its blocks from 1 again, and is the same on all replicas, in the store and after a trim", () => {
    const leader = new ShardState();
    const follower = new ShardState();
    const store = new RowStore();
    const run = (body: (effects: Effects) => void): void => {
      follower.apply(batch(leader, body)!, leader.index);
      expect(follower.stateHash()).toBe(leader.stateHash());
      store.write(leader.capture());
      expect(store.load().stateHash()).toBe(leader.stateHash());
    };
    run((effects) => effects.createStream("k"));
    for (const state of [leader, follower]) state.keyspace.existingStream("k").stream.entries.nextBlockNumber = LAST;
    for (let ms = 1; ms <= 3; ms++) {
      run((effects) => add(effects, "k", ms));
      run((effects) => effects.deleteEntries("k", [id(ms)]));
    }
    run((effects) => [4, 5, 6].forEach((ms) => add(effects, "k", ms)));
    run((effects) => effects.trim("k", streamOf(leader, "k").trimByLength(1, false, 0)));
    expect(wireOf(streamOf(store.load(), "k"), MIN_ID, MAX_ID)).toContain("6-0");
    expect(streamOf(leader, "k").length).toBe(1);
    leader.verify();
  });

  test("counts the leaves of its pending list from 1 again", () => {
    const leader = new ShardState();
    const store = new RowStore();
    batch(leader, (effects) => {
      for (let ms = 1; ms <= 5; ms++) add(effects, "k", ms);
      effects.createGroup("k", "g", MIN_ID, 0);
      effects.createConsumer("k", "g", "c", 1);
    });
    const { pending } = leader.keyspace.existingStream("k").stream.existingGroup("g");
    pending.nextLeafNumber = LAST;
    for (let ms = 1; ms <= 4; ms++) {
      batch(leader, (effects) => effects.deliver("k", "g", "c", id(ms), ms, 1, false));
      store.write(leader.capture());
      const loaded = store.load().keyspace.existingStream("k").stream.existingGroup("g").pending;
      expect(loaded.leaves.map(({ number }) => number)).toEqual(pending.leaves.map(({ number }) => number));
      expect(loaded.nextLeafNumber).toBe(pending.nextLeafNumber);
      batch(leader, (effects) => effects.acknowledge("k", "g", [id(ms)]));
    }
  });
});
