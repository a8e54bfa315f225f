/** The load generator's reading and counting: expected values are counted by hand or by a slower reader. Servers are sockets of the test itself. */
import { ReplyReader } from "@headrace/resp";
import fc from "fast-check";
import { createServer, type AddressInfo, type Server } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import { batches } from "../load/batch-load.ts";
import { closedLoop } from "../load/closed-loop.ts";
import { GroupReply } from "../load/group-reply.ts";
import { GrownStream } from "../load/grown-store.ts";
import { LatencyHistogram } from "../load/histogram.ts";
import { NumberedBatch } from "../load/numbered-batch.ts";
import { PhasedLoad } from "../load/phased-load.ts";
import { pageRequests } from "../load/range-load.ts";
import { RawConnection } from "../load/raw-connection.ts";
import { ReplyCounter } from "../load/reply-counter.ts";
import { requestBytes, scatter } from "../load/request-bytes.ts";

const reply: fc.Arbitrary<string> = fc.letrec<{ tree: string }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 3 },
    fc.integer().map((n) => `:${n}\r\n`),
    fc.constantFrom("+OK\r\n", "$-1\r\n", "*-1\r\n", "$0\r\n\r\n", "*0\r\n"),
    fc.string({ unit: "binary-ascii", maxLength: 40 }).map((text) => `$${text.length}\r\n${text}\r\n`),
    fc.array(tie("tree"), { maxLength: 4 }).map((items) => `*${items.length}\r\n${items.join("")}`),
  ),
})).tree;

/** Cuts bytes at the given places. */
function pieces(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length];
  return places.slice(1).map((end, i) => bytes.subarray(places[i], end));
}

describe("ReplyCounter", () => {
  test("counts as many replies as a reader that gathers them, however they are cut", () => {
    fc.assert(
      fc.property(fc.array(reply, { maxLength: 20 }), fc.array(fc.nat(), { maxLength: 30 }), (replies, cuts) => {
        const bytes = Buffer.from(replies.join(""), "latin1");
        const reader = new ReplyReader();
        reader.feed(bytes);
        let expected = 0;
        while (reader.next()) expected++;
        const counter = new ReplyCounter();
        let counted = 0;
        for (const piece of pieces(bytes, cuts)) counted += counter.feed(piece, 0, piece.length);
        expect(expected).toBe(replies.length);
        expect(counted).toBe(replies.length);
        expect(counter.replies).toBe(replies.length);
      }),
    );
  });

  test("counts errors, keeps the first one's text and the last integer", () => {
    const counter = new ReplyCounter();
    const bytes = Buffer.from(":7\r\n-ERR first\r\n-WRONGTYPE second\r\n:-3\r\n$1\r\n9\r\n");
    for (let at = 0; at < bytes.length; at++) counter.feed(bytes, at, at + 1);
    expect(counter.replies).toBe(5);
    expect(counter.errors).toBe(2);
    expect(counter.firstError).toBe("ERR first");
    expect(counter.lastInteger).toBe(-3);
  });

  test("a reply that is not whole does not count", () => {
    const counter = new ReplyCounter();
    const bytes = Buffer.from("*2\r\n$3\r\nabc\r\n");
    expect(counter.feed(bytes, 0, bytes.length)).toBe(0);
    expect(counter.feed(Buffer.from(":1\r\n"), 0, 4)).toBe(1);
  });
});

describe("GroupReply", () => {
  const fields = "*2\r\n$1\r\nf\r\n$3\r\nxxx\r\n";
  const entry = (id: string): string => `*2\r\n$${id.length}\r\n${id}\r\n${fields}`;
  const page = (ids: readonly string[]): string =>
    `*1\r\n*2\r\n$1\r\ns\r\n*${ids.length}\r\n${ids.map(entry).join("")}`;
  const bulks = (ids: readonly string[]): string => ids.map((id) => `$${id.length}\r\n${id}\r\n`).join("");

  test("gives the ids of the page as they stand in a request, byte by byte and at once", () => {
    const ids = ["1-0", "1700000000000-0", "1700000000000-12"];
    const bytes = Buffer.from(`:3\r\n${page(ids)}`);
    for (const step of [1, 5, bytes.length]) {
      const reader = new GroupReply("s", 10, fields.length);
      reader.expect(true);
      let isWhole = false;
      for (let at = 0; at < bytes.length; at += step) {
        expect(isWhole).toBe(false);
        const piece = bytes.subarray(at, at + step);
        isWhole = reader.feed(piece, piece.length);
      }
      expect(isWhole).toBe(true);
      expect(reader.entries).toBe(3);
      expect(reader.idBytes.toString("latin1", 0, reader.idLength)).toBe(bulks(ids));
    }
  });

  test("a group without new entries gives none, and the next page is read", () => {
    const reader = new GroupReply("s", 10, fields.length);
    reader.expect(false);
    expect(reader.feed(Buffer.from("*-1\r\n"), 5)).toBe(true);
    expect(reader.entries).toBe(0);
    const bytes = Buffer.from(page(["5-5"]));
    reader.expect(false);
    expect(reader.feed(bytes, bytes.length)).toBe(true);
    expect(reader.entries).toBe(1);
  });

  test("errors come with their text", () => {
    const reader = new GroupReply("s", 10, fields.length);
    reader.expect(false);
    const bytes = Buffer.from("-NOGROUP No such key 's'\r\n");
    expect(() => reader.feed(bytes, bytes.length)).toThrow("NOGROUP No such key 's'");
  });
});

describe("LatencyHistogram", () => {
  test("quantiles are within one per cent of the nearest rank of the sorted values", () => {
    const ms = fc.double({ min: 0.002, max: 100_000, noNaN: true });
    fc.assert(
      fc.property(
        fc.array(ms, { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.9, 0.99, 1),
        (values, share) => {
          const histogram = new LatencyHistogram();
          for (const value of values) histogram.record(value);
          const exact = values.toSorted((a, b) => a - b)[Math.ceil(share * values.length) - 1]!;
          expect(histogram.quantile(share) / exact).toBeGreaterThan(0.99);
          expect(histogram.quantile(share) / exact).toBeLessThan(1.01);
        },
      ),
    );
  });

  test("what was cleared is forgotten", () => {
    const histogram = new LatencyHistogram();
    histogram.record(5);
    histogram.clear();
    expect(histogram.figures()).toEqual({ count: 0, p50: NaN, p90: NaN, p99: NaN, p999: NaN, max: 0 });
  });
});

describe("batches", () => {
  const work = { kind: "batches", connections: 2, requests: [["XADD", "{key}", "*", "f", "v"], ["PING"]] } as const;

  test("take the requests in turn and end with WAIT", () => {
    const [batch, ...others] = batches({ ...work, inFlight: 3, keys: ["s"], wait: 2 }, 0);
    const xadd = "*5\r\n$4\r\nXADD\r\n$1\r\ns\r\n$1\r\n*\r\n$1\r\nf\r\n$1\r\nv\r\n";
    expect(others).toEqual([]);
    expect(batch!.toString()).toBe(`${xadd}*1\r\n$4\r\nPING\r\n${xadd}*3\r\n$4\r\nWAIT\r\n$1\r\n2\r\n$1\r\n0\r\n`);
  });

  test("reach all of a hundred keys, and other ones on each connection first", () => {
    const keys = Array.from({ length: 100 }, (_, i) => `key${i}`);
    const seen = [0, 1].map((connection) =>
      batches({ ...work, requests: [["XLEN", "{key}"]], inFlight: 50, keys, wait: null }, connection).map(String),
    );
    for (const key of keys) expect(seen[0]!.join("")).toContain(`\r\n${key}\r\n`);
    expect(seen[0]![0]).not.toBe(seen[1]![0]);
  });
});

test("requests are latin1: a byte stays a byte", () => {
  expect([...requestBytes(["ÿ"])]).toEqual([...Buffer.from("*1\r\n$1\r\n"), 255, 13, 10]);
});

test("scatter gives the same numbers again, all below its limit", () => {
  const [one, two] = [scatter(9, 7), scatter(9, 7)];
  const numbers = Array.from({ length: 1000 }, one);
  expect(numbers).toEqual(Array.from({ length: 1000 }, two));
  expect(new Set(numbers)).toEqual(new Set([0, 1, 2, 3, 4, 5, 6]));
});

describe("NumberedBatch", () => {
  test("has the bytes of requests with those numbers, whatever stood there before", () => {
    const numbers = fc.array(fc.nat({ max: 99_999 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(numbers, fc.string({ unit: "binary-ascii", maxLength: 20 }), (all, value) => {
        const words = (digits: string): string[] => ["XADD", `s:${digits}-0`, "*", "f", value];
        const batch = new NumberedBatch(all.length, 5, words);
        for (let at = 0; at < all.length; at++) batch.set(at, 98_765);
        for (const [at, number] of all.entries()) batch.set(at, number);
        const expected = all.map((number) => requestBytes(words(String(number).padStart(5, "0"))));
        expect(batch.bytes.equals(Buffer.concat(expected))).toBe(true);
      }),
    );
  });
});

test("a grown stream's ids go on behind those that are there, over all its batches", () => {
  const stream = new GrownStream(3, 41, 16, 400);
  const ids = Array.from({ length: 4 }, () => [
    ...stream
      .next()
      .bytes.toString("latin1")
      .matchAll(/\r\n(\d{13}-0)\r\n/g),
  ]);
  expect(ids.flat().map(([, id]) => id)).toEqual(Array.from({ length: 1600 }, (_, i) => `${1_000_000_000_041 + i}-0`));
  expect(stream.length).toBe(1641);
});

test("pages of a grown store begin in all its streams, where a whole page is behind them", () => {
  const work = { kind: "ranges", connections: 1, count: 100, entries: 8 * 150, valueBytes: 1, isGrown: true } as const;
  const texts = pageRequests(work, 0).map(String);
  expect(new Set(texts.map((text) => /grown:(\d)/.exec(text)![1]))).toEqual(new Set("01234567"));
  const places = texts.map((text) => Number(/(1\d{12})-0/.exec(text)![1]) - 1e12);
  expect(new Set(places)).toEqual(new Set(Array.from({ length: 50 }, (_, i) => i)));
});

describe("with a server", () => {
  let server: Server | null = null;
  afterEach(() => server?.close());

  /** Answers every PING, or reads nothing at all. */
  async function listening(answers: boolean): Promise<number> {
    server = createServer((socket) => {
      socket.on("error", () => socket.destroy());
      if (!answers) return void socket.pause();
      let open = 0;
      socket.on("data", (chunk: Buffer) => {
        open += chunk.length;
        const whole = Math.floor(open / PING_BYTES);
        open -= whole * PING_BYTES;
        socket.write("+PONG\r\n".repeat(whole));
      });
    });
    const own = server;
    await new Promise<void>((ready) => own.listen(0, "127.0.0.1", ready));
    return (own.address() as AddressInfo).port;
  }

  const PING_BYTES = requestBytes(["PING"]).length;
  const unexpected = (error: Error): never => {
    throw error;
  };

  /** One phase after the other at the same rate. */
  function phased(port: number, ...seconds: readonly number[]): PhasedLoad {
    const phases = seconds.map((each, i) => ({
      name: `phase ${i}`,
      perSecond: 2_000_000,
      seconds: each,
      intervalSeconds: 0.05,
    }));
    return new PhasedLoad(port, { kind: "phased", connections: 3, request: ["PING"], keys: [""], phases });
  }

  test("a closed loop sends the next batch when the one before is answered, until there is none", async () => {
    const connection = await RawConnection.open(await listening(true));
    const turns = [1, 5, 2].map((requests) => ({
      bytes: Buffer.alloc(requests * PING_BYTES, requestBytes(["PING"])),
      requests,
    }));
    const answered: number[] = [];
    await closedLoop(
      connection,
      () => turns.shift() ?? null,
      (requests) => answered.push(requests),
    );
    connection.close();
    expect(answered).toEqual([1, 5, 2]);
  });

  test.each([true, false])(
    "all that was due is answered, open or was turned away (the server reads: %s)",
    async (reads) => {
      const load = phased(await listening(reads), 0.2, 0.1);
      await load.prepare();
      load.start(unexpected);
      await vi.waitFor(() => expect(load.timeline.phases).toHaveLength(2), { timeout: 20_000 });
      const { phases, intervals } = load.timeline;
      load.stop();
      const [answered, turnedAway] = (["answered", "turnedAway"] as const).map((name) =>
        phases.reduce((sum, phase) => sum + phase[name], 0),
      );
      expect(answered! + turnedAway! + phases.at(-1)!.unanswered).toBe(600_000);
      for (const name of ["answered", "turnedAway", "refused"] as const)
        expect(intervals.reduce((sum, each) => sum + each[name], 0)).toBe(
          phases.reduce((sum, each) => sum + each[name], 0),
        );
      if (!reads) expect(answered).toBe(0);
      else expect(load.operations).toBeGreaterThanOrEqual(answered!);
    },
  );

  test("to a server that reads nothing only so much is sent as buffers hold", async () => {
    const load = phased(await listening(false), 1);
    await load.prepare();
    load.start(unexpected);
    await vi.waitFor(() => expect(load.timeline.phases).toHaveLength(1), { timeout: 20_000 });
    load.stop();
    expect(load.timeline.phases[0]!.turnedAway).toBeGreaterThan(0);
  });
});
