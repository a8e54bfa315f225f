/** What the leader of the metadata group lets through, at moments when it does not know enough to judge. */
import { MetaAsk } from "@headrace/meta";
import type { ClusterState, MetaCommand } from "@headrace/meta";
import type { MetaResponse } from "@headrace/ports";
import { expect, test } from "vitest";
import type { MetaGroup, ProposalOutcome } from "../src/meta-group.ts";
import { MetaService } from "../src/meta-service.ts";
import { silentLogger, TestRandom } from "./memory-world.ts";
import { Life, VirtualTime } from "./virtual-time.ts";

/** A leader of three nodes, two of which have to stay. */
class Scene {
  readonly time = new VirtualTime();
  readonly proposed: MetaCommand[] = [];
  readonly #pending: ((outcome: ProposalOutcome) => void)[] = [];
  readonly #expelled = new Set<number>();
  readonly group = {
    isLeader: true,
    isReady: true,
    propose: (command: MetaCommand, done: (outcome: ProposalOutcome) => void): void => {
      this.proposed.push(command);
      this.#pending.push(done);
    },
  };
  readonly service: MetaService;

  constructor() {
    const life = new Life("node");
    const { time } = this;
    const addresses = {
      peerAddress: "a:1",
      dataAddress: "a:2",
      httpAddress: "a:3",
      announceHost: "a",
      announcePort: 4,
    };
    this.service = new MetaService(
      addresses,
      {
        scheduler: {
          soon: (run) => void time.after(0, life, run),
          after: (ms, run) => time.after(ms, life, run),
        },
        random: new TestRandom(1),
        peerNetwork: { askMeta: () => expect.fail("nobody else is asked") },
        logger: silentLogger,
      },
      {
        metaGroup: () => this.group as unknown as MetaGroup,
        state: () => ({}) as ClusterState,
        adopt: () => {},
        status: () => ({}),
        objection: () => (this.group.isReady && this.#expelled.size > 0 ? "no majority would be left" : null),
      },
    );
  }

  /** What is answered, as soon as it is. */
  expel(nodeId: number): MetaResponse[] {
    const answers: MetaResponse[] = [];
    const body = { nodeId, duty: "expelled" };
    expect(this.service.answer(MetaAsk.setDuty, body, (answer) => void answers.push(answer))).toBe(true);
    return answers;
  }

  /** Another node brings it. */
  brought(nodeId: number): MetaResponse[] {
    const answers: MetaResponse[] = [];
    const body = { command: { kind: "setDuty", nodeId, duty: "expelled" } };
    expect(this.service.answer(MetaAsk.propose, body, (answer) => void answers.push(answer))).toBe(true);
    return answers;
  }

  apply(): void {
    const command = this.proposed[this.proposed.length - 1]!;
    if (command.kind === "setDuty") this.#expelled.add(command.nodeId);
    const done = this.#pending.shift()!;
    done({ kind: "applied", outcome: { ok: false, error: "applied" } });
  }
}

test("a leader that has committed nothing in its term yet does not propose what it cannot judge, and does so as soon as it can", () => {
  const scene = new Scene();
  scene.group.isReady = false;
  const own = scene.expel(2);
  expect(scene.brought(3)).toMatchObject([{ ok: false, body: { retry: true } }]);
  expect(scene.proposed).toEqual([]);
  expect(own).toEqual([]);
  scene.group.isReady = true;
  scene.time.run(500);
  expect(scene.proposed).toEqual([{ kind: "setDuty", nodeId: 2, duty: "expelled" }]);
});

test("of two nodes that are given up at the same moment the second is judged when the first has gone", () => {
  const scene = new Scene();
  scene.expel(2);
  expect(scene.brought(3)).toMatchObject([{ ok: false, body: { retry: true } }]);
  expect(scene.proposed).toHaveLength(1);
  scene.apply();
  expect(scene.brought(3)).toMatchObject([{ ok: false, body: { retry: false, error: "no majority would be left" } }]);
  expect(scene.proposed).toHaveLength(1);
});
