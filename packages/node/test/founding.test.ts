import { clusterStateToJson, defaultSettings, foundingPlan } from "@headrace/meta";
import { Founding } from "../src/founding.ts";
import { loadIdentity, storeIdentity } from "../src/identity.ts";
import type { Membership } from "../src/founding.ts";
import type { MetaRequest, MetaResponse } from "@headrace/ports";
import { describe, expect, test } from "vitest";
import { MemoryDisks, MemoryNetwork, MemoryProcess } from "./memory-world.ts";
import { VirtualTime } from "./virtual-time.ts";

/** A node reduced to founding: it stores its identity when it becomes a member and takes joiners in without a metadata group. */
class FoundingNode {
  readonly address: string;
  readonly seeds: readonly string[];
  readonly bootstrapExpect: number;
  readonly network: MemoryNetwork;
  disks: MemoryDisks;
  process: MemoryProcess | null = null;
  founding: Founding | null = null;
  membership: { readonly clusterId: string; readonly nodeId: number } | null = null;
  failure = "";
  starts = 0;

  constructor(network: MemoryNetwork, address: string, seeds: readonly string[], bootstrapExpect: number) {
    this.network = network;
    this.address = address;
    this.seeds = seeds;
    this.bootstrapExpect = bootstrapExpect;
    this.disks = new MemoryDisks();
  }

  start(): void {
    this.starts++;
    const seed = Number(this.address.replaceAll(/\D/g, "")) * 1000 + this.starts;
    const process = new MemoryProcess(this.network, this.address, this.address, this.disks, seed);
    this.process = process;
    const addresses = {
      peerAddress: this.address,
      dataAddress: `data-${this.address}`,
      httpAddress: "",
      announceHost: this.address,
      announcePort: 1,
    };
    const founding = new Founding(
      {
        addresses,
        seeds: this.seeds,
        bootstrapExpect: this.bootstrapExpect,
        shards: 4,
        replicas: 3,
        settings: defaultSettings,
      },
      process,
      {
        onMember: (membership, stored) => this.#store(membership, stored),
        onFailed: (message) => {
          this.failure = message;
        },
      },
    );
    this.founding = founding;
    const events = {
      onFrame: () => undefined,
      onPeerUp: () => undefined,
      onPeerDown: () => undefined,
      onPeerRefused: () => undefined,
      onWritable: () => undefined,
      onMetaRequest: (request: MetaRequest, answer: (response: MetaResponse) => void) => {
        if (founding.answer(request.kind, request.body, answer)) return;
        if (request.kind === "join") this.onJoin(request, answer);
      },
    };
    process.peerNetwork.start(events, () => {
      loadIdentity(process.recordStore, (loaded) => {
        if (!loaded.ok) throw new Error(loaded.failure.message);
        if (loaded.value === null) return founding.start();
        this.membership = loaded.value;
        founding.alreadyMember(loaded.value.clusterId);
      });
    });
  }

  /** The tests of joining replace it. */
  onJoin: (request: MetaRequest, answer: (response: MetaResponse) => void) => void = (_request, answer) =>
    answer({ ok: false, body: { error: "no majority", retry: true } });

  crash(): void {
    this.network.died(this.process!.life);
    this.founding = null;
    this.membership = null;
  }

  wipe(): void {
    this.disks = new MemoryDisks();
  }

  #store(membership: Membership, stored: () => void): void {
    const { state, nodeId } = membership;
    const identity = { clusterId: state.clusterId, nodeId, incarnation: 1, opened: true, foundedWith: null };
    storeIdentity(this.process!.recordStore, identity, () => {
      this.membership = identity;
      stored();
    });
  }
}

const addresses = ["n1:1", "n2:1", "n3:1"];

function threeFounders(seeds: readonly string[] = addresses): {
  time: VirtualTime;
  network: MemoryNetwork;
  nodes: FoundingNode[];
} {
  const time = new VirtualTime();
  const network = new MemoryNetwork(time);
  return { time, network, nodes: addresses.map((address) => new FoundingNode(network, address, seeds, 3)) };
}

function clusterIds(nodes: readonly FoundingNode[]): string[] {
  return [...new Set(nodes.map((node) => node.membership?.clusterId ?? "none"))];
}

function allMembers(nodes: readonly FoundingNode[]): () => boolean {
  return () => nodes.every((node) => node.membership !== null);
}

describe("founding", () => {
  test("three empty founders found one cluster and get the ids 1, 2, 3", () => {
    const { time, nodes } = threeFounders();
    for (const node of nodes) node.start();
    expect(time.runUntil(allMembers(nodes), 5000)).toBe(true);
    expect(clusterIds(nodes)).toHaveLength(1);
    expect(nodes.map((node) => node.membership!.nodeId)).toEqual([1, 2, 3]);
  });

  test("a single founder founds alone", () => {
    const network = new MemoryNetwork(new VirtualTime());
    const node = new FoundingNode(network, "n1:1", [], 1);
    node.start();
    expect(network.time.runUntil(() => node.membership !== null, 2000)).toBe(true);
  });

  test("nothing is founded while one founder can't be reached, and the log says which", () => {
    const { time, nodes } = threeFounders();
    nodes[0]!.start();
    nodes[1]!.start();
    time.run(20_000);
    expect(clusterIds(nodes)).toEqual(["none"]);
    expect(nodes[0]!.founding!.waitingFor).toContain("n3:1");
    expect(nodes[1]!.founding!.waitingFor).toContain("n1:1");
    nodes[2]!.start();
    expect(time.runUntil(allMembers(nodes), 5000)).toBe(true);
    expect(clusterIds(nodes)).toHaveLength(1);
  });

  test("founders whose lists differ wait instead of founding two clusters", () => {
    const { time, network, nodes } = threeFounders();
    nodes[2] = new FoundingNode(network, "n3:1", ["n1:1", "n3:1", "n4:1"], 3);
    for (const node of nodes) node.start();
    time.run(10_000);
    expect(clusterIds(nodes)).toEqual(["none"]);
    expect(nodes[0]!.founding!.waitingFor).toContain("one list of founders");
  });

  test("two names of one founder do not count as two", () => {
    const { time, network, nodes } = threeFounders(["n1:1", "n2:1", "alias:1"]);
    nodes.length = 2;
    for (const node of nodes) node.start();
    time.run(10);
    network.peers.set("alias:1", network.peers.get("n2:1")!);
    time.run(10_000);
    expect(clusterIds(nodes)).toEqual(["none"]);
    expect(nodes.map((node) => node.founding!.waitingFor).join()).toContain("3 founders");
  });
});

describe("founding with crashes", () => {
  /** How many steps an undisturbed founding takes. */
  function undisturbedSteps(): number {
    const { time, nodes } = threeFounders();
    for (const node of nodes) node.start();
    time.runUntil(allMembers(nodes), 5000);
    return time.steps;
  }

  for (const victim of [0, 1, 2]) {
    test(`founder ${victim + 1} crashes at any step and restarts: one cluster, all are members, ids as planned`, () => {
      const steps = undisturbedSteps();
      expect(steps).toBeGreaterThan(50);
      for (let crashAt = 1; crashAt <= steps; crashAt++) {
        const { time, nodes } = threeFounders();
        for (const node of nodes) node.start();
        while (time.steps < crashAt && time.step(time.nowMs + 5000));
        nodes[victim]!.crash();
        time.run(3000);
        nodes[victim]!.start();
        expect(time.runUntil(allMembers(nodes), 20_000), `crash at step ${crashAt}`).toBe(true);
        expect(clusterIds(nodes), `crash at step ${crashAt}`).toHaveLength(1);
        expect(nodes.map((node) => node.membership!.nodeId)).toEqual([1, 2, 3]);
      }
    });

    test(`founder ${victim + 1} is wiped at any step: never two clusters, and the wiped node never has its old id again`, () => {
      const steps = undisturbedSteps();
      for (let crashAt = 1; crashAt <= steps; crashAt++) {
        const { time, nodes } = threeFounders();
        for (const node of nodes) node.start();
        while (time.steps < crashAt && time.step(time.nowMs + 5000));
        const wiped = nodes[victim]!;
        wiped.crash();
        const hadIdentity = wiped.disks.records.has("identity");
        wiped.wipe();
        time.run(3000);
        const foundedByOthers = nodes.some((node) => node.membership !== null);
        wiped.start();
        time.run(10_000);
        const ids = clusterIds(nodes).filter((id) => id !== "none");
        expect(ids.length, `wiped at step ${crashAt}`).toBeLessThanOrEqual(1);
        if (foundedByOthers) expect(wiped.membership, `wiped at step ${crashAt}`).toBeNull();
        // The leading founder alone had decided: nobody knows, so a new cluster may be founded.
        else if (!hadIdentity || victim === 0) expect(allMembers(nodes)(), `wiped at step ${crashAt}`).toBe(true);
      }
    });
  }

  test("all founders crash together at any step and restart: one cluster", () => {
    const steps = undisturbedSteps();
    for (let crashAt = 1; crashAt <= steps; crashAt++) {
      const { time, nodes } = threeFounders();
      for (const node of nodes) node.start();
      while (time.steps < crashAt && time.step(time.nowMs + 5000));
      for (const node of nodes) node.crash();
      time.run(100);
      for (const node of nodes) node.start();
      expect(time.runUntil(allMembers(nodes), 20_000), `crash at step ${crashAt}`).toBe(true);
      expect(clusterIds(nodes), `crash at step ${crashAt}`).toHaveLength(1);
    }
  });
});

describe("joining", () => {
  function joinable(node: FoundingNode, clusterId: string): void {
    const state = foundingPlan({
      clusterId,
      founders: addresses.map((address) => ({
        joinToken: `of ${address}`,
        peerAddress: address,
        dataAddress: "",
        httpAddress: "",
        announceHost: "",
        announcePort: 1,
      })),
      shardCount: 4,
      replicaCount: 3,
      settings: defaultSettings,
    });
    node.onJoin = (request, answer) => {
      const body = request.body as { joinToken: string; addresses: never };
      const outcome = state.apply({ kind: "registerNode", ...body });
      answer({ ok: true, body: { nodeId: outcome.ok ? outcome.nodeId : 0, state: clusterStateToJson(state) } });
    };
  }

  test("an empty node that meets a cluster joins it under a new id, and keeps it over restarts", () => {
    const { time, network, nodes } = threeFounders();
    for (const node of nodes) node.start();
    time.runUntil(allMembers(nodes), 5000);
    const clusterId = nodes[0]!.membership!.clusterId;
    for (const node of nodes) joinable(node, clusterId);
    const fourth = new FoundingNode(network, "n4:1", addresses, 3);
    fourth.start();
    expect(time.runUntil(() => fourth.membership !== null, 5000)).toBe(true);
    expect(fourth.membership).toMatchObject({ clusterId, nodeId: 4 });
    fourth.crash();
    fourth.start();
    expect(time.runUntil(() => fourth.membership !== null, 5000)).toBe(true);
    expect(fourth.membership).toMatchObject({ clusterId, nodeId: 4 });
  });

  test("a node that crashes while it joins does not leave a second registration behind", () => {
    for (let crashAt = 1; crashAt <= 40; crashAt++) {
      const { time, network, nodes } = threeFounders();
      for (const node of nodes) node.start();
      time.runUntil(allMembers(nodes), 5000);
      // One member answers for the metadata group: all three would be one state machine.
      joinable(nodes[0]!, nodes[0]!.membership!.clusterId);
      for (const node of nodes.slice(1)) node.onJoin = nodes[0]!.onJoin;
      const fourth = new FoundingNode(network, "n4:1", addresses, 3);
      fourth.start();
      const from = time.steps;
      while (time.steps < from + crashAt && time.step(time.nowMs + 5000));
      fourth.crash();
      fourth.start();
      expect(time.runUntil(() => fourth.membership !== null, 10_000)).toBe(true);
      expect(fourth.membership!.nodeId, `crash at step ${crashAt}`).toBe(4);
    }
  });

  test("a founder that lost its disk does not found with others that have data; without a majority it waits", () => {
    const { time, nodes } = threeFounders();
    for (const node of nodes) node.start();
    time.runUntil(allMembers(nodes), 5000);
    for (const node of nodes) node.crash();
    nodes[0]!.wipe();
    nodes[1]!.wipe();
    for (const node of nodes) node.start();
    time.run(20_000);
    expect(nodes[0]!.membership).toBeNull();
    expect(nodes[1]!.membership).toBeNull();
    expect(nodes[2]!.membership).not.toBeNull();
    expect(nodes[0]!.founding!.waitingFor).toContain("no majority");
  });

  test("a node that is no founder waits for a cluster and never founds one", () => {
    const network = new MemoryNetwork(new VirtualTime());
    const alone = new FoundingNode(network, "n9:1", addresses, 3);
    alone.start();
    network.time.run(10_000);
    expect(alone.membership).toBeNull();
    expect(alone.founding!.waitingFor).toContain("no founder");
  });

  test("a damaged founding record stops the node with a reason instead of being ignored", () => {
    const network = new MemoryNetwork(new VirtualTime());
    const node = new FoundingNode(network, "n1:1", ["n1:1"], 1);
    node.disks.records.set("founding", new Uint8Array([123, 34]));
    node.start();
    network.time.run(5000);
    expect(node.membership).toBeNull();
    expect(node.failure).toContain("damaged");
  });
});
