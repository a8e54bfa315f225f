import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test } from "vitest";
import { PeerChannel } from "@headrace/ports";
import { freshNonce, handshakeOf, objectionTo } from "../src/proof-of-identity.ts";
import { introduce, TestNode, untilMeshed } from "./test-node.ts";

const open: TestNode[] = [];
afterEach(async () => {
  for (const node of open.splice(0)) await node.close();
});

async function started(nodeId: number, options: ConstructorParameters<typeof TestNode>[1] = {}): Promise<TestNode> {
  const node = await new TestNode(nodeId, options).start();
  open.push(node);
  return node;
}

async function meshOf(count: number, options: ConstructorParameters<typeof TestNode>[1] = {}): Promise<TestNode[]> {
  const nodes: TestNode[] = [];
  for (let nodeId = 1; nodeId <= count; nodeId++) nodes.push((await started(nodeId, options)).identify());
  introduce(nodes);
  await untilMeshed(nodes);
  return nodes;
}

function numbered(i: number, lengthBytes: number = 8): Uint8Array {
  const bytes = Buffer.alloc(lengthBytes, i & 0xff);
  bytes.writeUInt32LE(i, 0);
  return bytes;
}

describe("frames between nodes", () => {
  test.each([null, "a secret"])(
    "three nodes hear each other's frames in order on each channel (secret %j)",
    async (secret) => {
      const nodes = await meshOf(3, { secret });
      const channels = [PeerChannel.control, PeerChannel.append];
      for (let i = 0; i < 200; i++) {
        for (const from of nodes) {
          for (const to of nodes) {
            if (from === to) continue;
            // Two chunks: the receiver sees one frame.
            const frame = numbered(i);
            for (const channel of channels) {
              expect(from.network.send(to.nodeId, channel, [frame.subarray(0, 3), frame.subarray(3)])).toBe(true);
            }
          }
        }
      }
      for (const to of nodes) {
        await to.until(() => to.frames.length === 200 * 2 * 2);
        for (const from of nodes) {
          if (from === to) continue;
          for (const channel of channels) {
            const got = to.frames.filter((frame) => frame.from === from.nodeId && frame.channel === channel);
            expect(got.map((frame) => Buffer.from(frame.bytes).readUInt32LE(0))).toEqual([...Array(200).keys()]);
            expect(got.every((frame) => frame.bytes.length === 8)).toBe(true);
          }
        }
      }
    },
  );

  test("an empty frame and one far larger than the budget arrive as they were sent", async () => {
    const [a, b] = (await meshOf(2)) as [TestNode, TestNode];
    const large = numbered(77, 20 * 1024 * 1024);
    await a.until(() => a.network.send(2, PeerChannel.append, []));
    expect(a.network.send(2, PeerChannel.append, [large])).toBe(true);
    await b.until(() => b.frames.length === 2);
    expect(b.frames[0]!.bytes.length).toBe(0);
    expect(Buffer.compare(b.frames[1]!.bytes, large)).toBe(0);
  });

  test("over the byte budget frames are refused until the peer is writable again, and none of the accepted is lost", async () => {
    const frame = 1024 * 1024;
    const budgetBytes = { control: frame, append: 4 * frame + 4096, snapshot: frame };
    const [a, b] = (await meshOf(2, { budgetBytes })) as [TestNode, TestNode];
    const sent: number[] = [];
    let next = 0;
    for (let round = 0; round < 10; round++) {
      let queued = 0;
      while (a.network.send(2, PeerChannel.append, [numbered(next, frame)])) {
        sent.push(next++);
        queued++;
        expect(queued).toBeLessThanOrEqual(4);
      }
      next++;
      const before = a.writable.length;
      await a.until(() => a.writable.length > before);
      expect(a.writable.at(-1)).toBe("2/1");
    }
    await b.until(() => b.frames.length === sent.length);
    expect(b.frames.map(({ bytes }) => Buffer.from(bytes).readUInt32LE(0))).toEqual(sent);
  });

  test("to an unknown or unconnected peer nothing is sent", async () => {
    const a = (await started(1)).identify();
    expect(a.network.send(2, PeerChannel.control, [numbered(1)])).toBe(false);
  });
});

describe("loss and return", () => {
  test("a peer that stops is down at once, and up with its new incarnation when it is back at the same address", async () => {
    const [a, b] = (await meshOf(2)) as [TestNode, TestNode];
    const address = b.address;
    await b.close();
    open.splice(open.indexOf(b), 1);
    await a.until(() => !a.up.has(2));
    expect(a.network.send(2, PeerChannel.control, [numbered(1)])).toBe(false);
    const again = (await started(2, { bindAddress: address })).identify(2);
    introduce([a, again]);
    await a.until(() => a.up.has(2));
    expect(a.happened).toEqual(["up 2 (1)", "down 2 reset", "up 2 (2)"]);
    await again.until(() => again.up.has(1));
    expect(a.network.send(2, PeerChannel.append, [numbered(5)])).toBe(true);
    await again.until(() => again.frames.length === 1);
  });

  test("a peer that is killed is down with a sign of its death", async () => {
    const a = (await started(1)).identify();
    const child = spawn(process.execPath, [fileURLToPath(new URL("lonely-node.ts", import.meta.url)), a.address], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout });
    const [address] = (await once(lines, "line")) as [string];
    a.network.setPeers([{ nodeId: 2, address }]);
    await a.until(() => a.up.has(2));
    const downs = once(child, "exit");
    child.kill("SIGKILL");
    await a.until(() => !a.up.has(2));
    expect(["down 2 reset", "down 2 refused"]).toContain(a.happened.at(-1));
    await downs;
  });

  test("a process with an older incarnation of a known peer is refused", async () => {
    const a = (await started(1)).identify();
    const b = (await started(2)).identify(5);
    introduce([a, b]);
    await a.until(() => a.up.has(2));
    const old = (await started(2)).identify(4);
    old.network.setPeers([{ nodeId: 1, address: a.address }]);
    await old.log.until("peer_refused", "known here with incarnation 5");
    await a.until(() => a.objections.includes("incarnation"));
    expect(a.up.has(2)).toBe(true);
    expect(a.happened).toEqual(["up 2 (5)"]);
  });

  test("a peer taken off the list is down as a local decision", async () => {
    const [a] = (await meshOf(2)) as [TestNode, TestNode];
    a.network.setPeers([]);
    await a.until(() => a.happened.includes("down 2 local"));
  });

  test("before identify peers are refused, afterwards they come up without being told again", async () => {
    const a = await started(1);
    const b = (await started(2)).identify();
    introduce([a, b]);
    await b.log.until("peer_refused", "no identity yet");
    a.identify();
    await untilMeshed([a, b]);
  });
});

describe("who may talk to whom", () => {
  async function refusedPair(
    one: { clusterId: string; secret: string | null },
    other: { clusterId: string; secret: string | null },
    reason: string,
    objection: string,
  ): Promise<void> {
    const a = (await started(1, { secret: one.secret })).identify(1, one.clusterId);
    const b = (await started(2, { secret: other.secret })).identify(1, other.clusterId);
    introduce([a, b]);
    await a.log.until("peer_refused", reason);
    await b.log.until("peer_refused", reason);
    // Told to the node of whichever side saw it first: it counts.
    await a.until(() => [...a.objections, ...b.objections].includes(objection));
    expect(a.happened).toEqual([]);
    expect(b.happened).toEqual([]);
  }

  test("another cluster's node is refused and both sides log why", async () => {
    await refusedPair({ clusterId: "c1", secret: "s" }, { clusterId: "c2", secret: "s" }, "cluster id", "clusterId");
  });

  test("a wrong secret is refused and both sides log why", async () => {
    await refusedPair(
      { clusterId: "c1", secret: "s" },
      { clusterId: "c1", secret: "t" },
      "wrong cluster secret",
      "secret",
    );
  });

  test("a node without the secret is refused by one that has it, and refuses that one", async () => {
    await refusedPair({ clusterId: "c1", secret: "s" }, { clusterId: "c1", secret: null }, "secret", "secret");
  });

  test("protocol versions that have none in common are refused by that name", () => {
    const mine = { clusterId: "c1", nodeId: 1, incarnation: 1 };
    const theirs = handshakeOf({ clusterId: "c1", nodeId: 2, incarnation: 1 }, freshNonce(), new Uint8Array(0));
    expect(objectionTo(mine, theirs)).toBeNull();
    expect(objectionTo(mine, { ...theirs, versionMin: 8, versionMax: 9 })).toEqual({
      to: "version",
      reason: "protocol versions 8-9 and 1-1 have none in common",
    });
  });

  test("another node than the expected one at an address is refused", async () => {
    const a = (await started(1)).identify();
    const b = (await started(2)).identify();
    a.network.setPeers([{ nodeId: 3, address: b.address }]);
    await a.log.until("peer_refused", "not node 3");
    await b.log.until("peer_refused", "not node 3");
    await a.until(() => a.objections.includes("nodeId"));
  });

  test("without a secret nothing but loopback is bound or dialled", async () => {
    const open = await new TestNode(1, { bindAddress: "0.0.0.0:0" }).tryStart();
    expect(open).toMatchObject({ ok: false });
    expect(open.ok ? "" : open.message).toContain("HEADRACE_CLUSTER_SECRET");
    const a = (await started(1)).identify();
    a.network.setPeers([{ nodeId: 2, address: "192.0.2.1:7400" }]);
    await a.log.until("peer_not_dialled", "HEADRACE_CLUSTER_SECRET");
  });

  test("a port in use is a failure with its address", async () => {
    const a = await started(1);
    const result = await new TestNode(2, { bindAddress: a.address }).tryStart();
    expect(result.ok ? "" : result.message).toContain(`cannot listen on ${a.address}`);
    expect(result.ok ? "" : result.message).toContain("EADDRINUSE");
  });
});
