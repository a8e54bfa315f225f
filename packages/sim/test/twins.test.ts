/** The simulated disk, store and network keep the same promises as the real ones: the suites are those that the real adapters pass. */
import { afterAll } from "vitest";
import { testByteNetwork } from "@headrace/testkit/conformance/byte-network.ts";
import { kvStoreConformance } from "@headrace/testkit/conformance/kv-store.ts";
import { segmentDiskConformance } from "@headrace/testkit/conformance/segment-disk.ts";
import { settleByPumping } from "@headrace/testkit/conformance/settle.ts";
import { EventLoop, Life } from "../src/event-loop.ts";
import { SeededRandom } from "../src/seeded-random.ts";
import { SimKvStore, SimMachineDisk, SimSegmentDisk } from "../src/sim-disk.ts";
import { SimByteNetwork, SimNetwork } from "../src/sim-network.ts";

const noCleanUp = (): Promise<void> => Promise.resolve();

segmentDiskConformance("the simulated disk", () => {
  const loop = new EventLoop();
  const machine = new SimMachineDisk();
  const open = (): SimSegmentDisk => new SimSegmentDisk(loop, new Life("node"), machine, new SeededRandom(1));
  return Promise.resolve({
    disk: open(),
    settle: settleByPumping(() => loop.step()),
    reopen: () => Promise.resolve(open()),
    cleanUp: noCleanUp,
  });
});

kvStoreConformance("the simulated store", () => {
  const loop = new EventLoop();
  const machine = new SimMachineDisk();
  const open = (): SimKvStore => new SimKvStore(loop, new Life("node"), machine, new SeededRandom(1));
  return Promise.resolve({
    store: open(),
    settle: settleByPumping(() => loop.step()),
    reopen: () => Promise.resolve(open()),
    cleanUp: noCleanUp,
  });
});

// This suite waits for events: simulated time runs while it does.
const loops: EventLoop[] = [];
let isOver = false;
function pump(): void {
  if (isOver) return;
  for (const loop of loops) for (let i = 0; i < 64 && loop.step(); i++);
  setImmediate(pump);
}
pump();
afterAll(() => {
  isOver = true;
});

let addresses = 0;
testByteNetwork("the simulated network", () => {
  const loop = new EventLoop();
  loops.push(loop);
  const network = new SimNetwork(loop, new SeededRandom(1));
  return {
    network: new SimByteNetwork(network, new Life("host")),
    freeAddress: () => Promise.resolve(`host-${++addresses}:7400`),
  };
});
