/**
 * What this node answers about the cluster, and how it keeps its own view of it: from its replica of the metadata group if it has one,
 * else by asking those who have. Changes go to the group's leader, from whichever node they were asked.
 *
 * Must not know: Raft beyond "am I the leader", founding, links.
 */
import {
  clusterStateToJson,
  MetaAsk,
  MetaFormatError,
  parseMetaCommand,
  pickAddresses,
  UnknownMetaCommandError,
} from "@headrace/meta";
import type { ClusterState, MetaCommand, NodeAddresses, NodeRecord } from "@headrace/meta";
import type { Logger, MetaRequest, MetaResponse, PeerNetwork, Random, Scheduler, Timer } from "@headrace/ports";
import { parseState } from "./founding.ts";
import type { MetaGroup } from "./meta-group.ts";

const ROUND_MS = 1000;
/** While members are being changed, everybody has something to do about it. */
const BUSY_ROUND_MS = 200;
const ASK_TIMEOUT_MS = 6000;
/** Rounds over the members before a question is given up: a leader may be being elected. */
const ATTEMPTS = 5;
const RETRY_MS = 200;

export interface MetaServiceHost {
  /** null: no replica of the metadata group here. */
  metaGroup(): MetaGroup | null;
  /** The newest state known here; null before membership. */
  state(): ClusterState | null;
  /** A newer state was heard of (only asked without a replica). */
  adopt(state: ClusterState): void;
  status(): Record<string, unknown>;
  /** This node leads the metadata group and sees that the command must not be tried now; null: nothing is against it. */
  objection(command: MetaCommand): string | null;
}

export interface MetaServiceWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly peerNetwork: Pick<PeerNetwork, "askMeta">;
  readonly logger: Logger;
}

type Answer = (response: MetaResponse) => void;

export class MetaService {
  readonly #nodeAddresses: NodeAddresses;
  readonly #world: MetaServiceWorld;
  readonly #host: MetaServiceHost;
  #nodeId: number;
  #timer: Timer | null;
  #updating: boolean;
  /** One on its way: whether the next one may be given up depends on it. */
  #isExpelling: boolean;
  #closed: boolean;

  constructor(addresses: NodeAddresses, world: MetaServiceWorld, host: MetaServiceHost) {
    this.#nodeAddresses = pickAddresses(addresses);
    this.#world = world;
    this.#host = host;
    this.#nodeId = 0;
    this.#timer = null;
    this.#updating = false;
    this.#isExpelling = false;
    this.#closed = false;
  }

  /** This node is a member: keep its view and its own addresses up to date. */
  start(nodeId: number): void {
    this.#nodeId = nodeId;
    if (this.#timer === null) this.#round();
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** Answers a request; false: not one of ours. */
  answer(kind: string, body: Readonly<Record<string, unknown>>, answer: Answer): boolean {
    switch (kind) {
      case MetaAsk.status:
        answer({ ok: true, body: { status: this.#host.status() } });
        return true;
      case MetaAsk.state: {
        const state = this.#host.state();
        const known = body["knownVersion"];
        if (state === null) answer(refusal("not a member of a cluster yet", true));
        else if (typeof known === "number" && known >= state.version) answer({ ok: true, body: {} });
        else answer({ ok: true, body: { state: clusterStateToJson(state) } });
        return true;
      }
      case MetaAsk.setDuty:
      case MetaAsk.removeNode: {
        const { nodeId, duty } = body;
        this.#onCommand({ kind, nodeId, duty }, answer, (parsed) => this.propose(parsed, answer));
        return true;
      }
      case MetaAsk.propose:
        this.#onCommand(body["command"], answer, (command) => this.#proposeHere(command, answer));
        return true;
      case MetaAsk.setSetting: {
        const command = { kind: "setSetting", name: body["name"], value: body["value"] };
        this.#onCommand(command, answer, (parsed) => this.propose(parsed, answer));
        return true;
      }
      case MetaAsk.join: {
        const command = { kind: "registerNode", joinToken: body["joinToken"], addresses: body["addresses"] };
        this.#onCommand(command, answer, (parsed) => this.propose(parsed, answer));
        return true;
      }
      default:
        return false;
    }
  }

  /** Brings the command to the leader of the metadata group, wherever it is; answered when it is applied there, or given up. */
  propose(command: MetaCommand, answer: Answer): void {
    this.#attempt(command, ATTEMPTS, answer);
  }

  #attempt(command: MetaCommand, attemptsLeft: number, answer: Answer): void {
    if (this.#closed) return answer(refusal("the node is stopping", true));
    const group = this.#host.metaGroup();
    if (group?.isReady === true) return this.#proposeHere(command, answer);
    const orAgain: Answer = (response) => {
      if (response.ok || response.body["retry"] !== true || attemptsLeft <= 1) return answer(response);
      this.#world.scheduler.after(RETRY_MS, () => this.#attempt(command, attemptsLeft - 1, answer));
    };
    if (group?.isLeader === true) return this.#proposeHere(command, orAgain);
    this.#askInTurn({ kind: MetaAsk.propose, body: { command } }, this.#membersLeaderFirst(), orAgain);
  }

  #askInTurn(request: MetaRequest, members: readonly NodeRecord[], answer: Answer): void {
    const [first, ...rest] = members;
    if (first === undefined) return answer(refusal("no leader of the metadata group can be reached", true));
    this.#world.peerNetwork.askMeta(first.peerAddress, request, ASK_TIMEOUT_MS, (result) => {
      if (result.ok && (result.value.ok || result.value.body["retry"] !== true)) return answer(result.value);
      this.#askInTurn(request, rest, answer);
    });
  }

  /** What the leader's answer says of the state is the newest there is. */
  proposeAndAdopt(command: MetaCommand, done: (error: string | null) => void): void {
    this.propose(command, (response) => {
      const heard = response.ok ? parseState(response.body["state"]) : null;
      if (heard !== null && !this.#closed) this.#host.adopt(heard);
      const error = response.body["error"];
      done(response.ok ? null : typeof error === "string" ? error : "refused");
    });
  }

  #proposeHere(command: MetaCommand, answer: Answer): void {
    const group = this.#host.metaGroup();
    if (group === null) return answer(refusal("not a member of the metadata group", true));
    // What it judges by is the newest there is only from then on.
    if (!group.isReady) return answer(refusal("the leader of the metadata group has nothing committed yet", true));
    const objection = this.#host.objection(command);
    if (objection !== null) return answer(refusal(objection, false));
    const isExpulsion = command.kind === "setDuty" && command.duty === "expelled";
    if (isExpulsion && this.#isExpelling) return answer(refusal("another node is just being given up", true));
    this.#isExpelling ||= isExpulsion;
    group.propose(command, (proposed) => {
      if (isExpulsion) this.#isExpelling = false;
      switch (proposed.kind) {
        case "notLeader":
          return answer(refusal("not the leader of the metadata group", true));
        case "uncertain":
          return answer(refusal("the metadata group has no majority", true));
        case "applied": {
          const { outcome } = proposed;
          if (!outcome.ok) return answer(refusal(outcome.error, false));
          return answer({ ok: true, body: { nodeId: outcome.nodeId, state: clusterStateToJson(group.state) } });
        }
      }
    });
  }

  #onCommand(value: unknown, answer: Answer, then: (command: MetaCommand) => void): void {
    if (this.#host.state() === null) return answer(refusal("not a member of a cluster yet", true));
    let command: MetaCommand;
    try {
      command = parseMetaCommand(value);
    } catch (error) {
      if (!(error instanceof MetaFormatError || error instanceof UnknownMetaCommandError)) throw error;
      return answer(refusal(error.message, false));
    }
    then(command);
  }

  // ── keeping up ────────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #round(): void {
    if (this.#closed) return;
    const state = this.#host.state();
    const isBusy = state !== null && state.groupIds().some((groupId) => state.membersOf(groupId)!.change !== null);
    this.#timer = this.#world.scheduler.after(isBusy ? BUSY_ROUND_MS : ROUND_MS, () => this.#round());
    if (state === null) return;
    // Also with a replica of the metadata group: it may be one that nobody speaks to any more.
    if (this.#host.metaGroup()?.isReady !== true) this.#hear(state);
    this.#updateAddresses(state);
  }

  #hear(state: ClusterState): void {
    const others = state.nodes.filter((node) => node.id !== this.#nodeId);
    if (others.length === 0) return;
    const members = this.#membersLeaderFirst();
    const asked = members[this.#world.random.below(Math.max(members.length, 1))] ?? others[0]!;
    const request = { kind: MetaAsk.state, body: { knownVersion: state.version } };
    this.#world.peerNetwork.askMeta(asked.peerAddress, request, ROUND_MS, (result) => {
      if (this.#closed || !result.ok || !result.value.ok) return;
      const heard = parseState(result.value.body["state"]);
      const known = this.#host.state();
      if (heard === null || known === null || heard.clusterId !== known.clusterId) return;
      if (heard.version > known.version) this.#host.adopt(heard);
    });
  }

  /** The node may have moved since it was registered: tell everyone, once. */
  #updateAddresses(state: ClusterState): void {
    const own = state.node(this.#nodeId);
    if (own === null || this.#updating) return;
    const known = pickAddresses(own);
    const wanted = this.#nodeAddresses;
    const differs = (Object.keys(wanted) as (keyof NodeAddresses)[]).some((name) => known[name] !== wanted[name]);
    if (!differs) return;
    this.#updating = true;
    this.propose({ kind: "updateNode", nodeId: this.#nodeId, addresses: wanted }, (response) => {
      this.#updating = false;
      if (!response.ok) this.#world.logger.warn("address_update_failed", { error: response.body["error"] });
    });
  }

  #membersLeaderFirst(): NodeRecord[] {
    const state = this.#host.state();
    if (state === null) return [];
    const leader = this.#host.metaGroup()?.leaderReplicaId ?? 0;
    const members = state.metaReplicas
      .filter((replica) => replica.nodeId !== this.#nodeId)
      .sort((a, b) => Number(b.replicaId === leader) - Number(a.replicaId === leader));
    return members.map((replica) => state.node(replica.nodeId)).filter((node) => node !== null);
  }
}

function refusal(error: string, retry: boolean): MetaResponse {
  return { ok: false, body: { error, retry } };
}
