/** The sending end by itself: what it holds of the node that others need. */
import { expect, test } from "vitest";
import { SnapshotSource } from "../src/snapshot-source.ts";
import type { SnapshotContent } from "../src/snapshot-source.ts";
import { SnapshotTraffic } from "../src/snapshot-traffic.ts";
import { silentLogger, TestRandom } from "./memory-world.ts";
import { Life, VirtualTime } from "./virtual-time.ts";

class Scene {
  readonly time = new VirtualTime();
  readonly clock = { wallMs: () => this.time.nowMs, monotonicMs: () => this.time.nowMs };
  readonly traffic = new SnapshotTraffic(this.clock, 1e9);
  readonly #life = new Life("node");
  isLeader = true;

  source(open: (done: (content: SnapshotContent | null) => void) => void): SnapshotSource {
    const { time, clock, traffic } = this;
    return new SnapshotSource({
      groupId: 1,
      clock,
      scheduler: {
        soon: (run) => void time.after(0, this.#life, run),
        after: (ms, run) => time.after(ms, this.#life, run),
      },
      random: new TestRandom(1),
      logger: silentLogger,
      traffic,
      open,
      isUsable: () => true,
      isLeader: () => this.isLeader,
      matchOf: () => 0,
      retainedFrom: () => 0,
      send: () => true,
      report: () => {},
    });
  }

  /** Opens at once. */
  other(): SnapshotSource {
    const confState = { voters: [1], votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
    const meta = { index: 5, term: 1, confState };
    return this.source((done) => done({ meta, head: new Uint8Array(0), chunk: () => {}, close: () => {} }));
  }
}

test("a group that stops while its snapshot is being opened does not keep the node's other groups from sending theirs", () => {
  const scene = new Scene();
  // Its replica stops: nobody answers any more.
  const stopped = scene.source(() => {});
  expect(stopped.offer()).toBe("unavailable");
  const other = scene.other();
  other.offer();
  expect(other.offer()).toBe("unavailable");
  stopped.stop();
  other.offer();
  expect(other.offer()).toMatchObject({ meta: { index: 5, term: 1 } });
  other.stop();
});

test("a group whose leader is another one now keeps no snapshot open for longer than somebody asks for it", () => {
  const scene = new Scene();
  const deposed = scene.other();
  deposed.offer();
  expect(deposed.offer()).toMatchObject({ meta: { index: 5 } });
  deposed.announced(2);
  const other = scene.other();
  expect(other.offer()).toBe("unavailable");
  scene.isLeader = false;
  scene.time.run(4000);
  other.offer();
  expect(other.offer()).toBe("unavailable");
  scene.time.run(4000);
  // Now of the other group.
  scene.isLeader = true;
  other.offer();
  expect(other.offer()).toMatchObject({ meta: { index: 5 } });
  other.stop();
  deposed.stop();
});
