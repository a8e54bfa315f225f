/**
 * How an empty data directory becomes part of a cluster: by founding one together with all other founders, or by joining one that exists.
 *
 * FOUNDING, in two phases, led by the founder whose address sorts lowest (every founder knows the same list):
 *
 *   all founders reachable, none a member ─► plan with a random cluster id
 *   1 prepare: the leading founder stores the record "founding" and has every other store it, durably
 *   2 commit:  when ALL have answered it stores its identity (the decision), then tells the others, who store theirs
 *
 * A founder that crashes in between finds the record when it starts again: the leading one goes on with the same plan; another waits until
 * it hears of a member of that very cluster, then it commits too. A founder that was wiped meanwhile has another token, and the plan that
 * named the old one is replaced. That is safe because a plan is only ever replaced when all founders are seen not to be members: nobody has
 * decided on it, and only the leading founder could.
 *
 * FROM A BACKUP: each founder names the backup that it has read, and a plan names it too: only who has the very same takes part. The shards are the
 * backup's, the cluster id is new.
 *
 * JOINING: an empty node that hears of a member of a cluster never founds. It asks to be registered under a new id. Its token makes
 * the request repeatable. A node whose founders can't all be reached waits, and says for whom.
 *
 * Must not know: Raft, what a member does.
 */
import {
  clusterStateFromJson,
  clusterStateToJson,
  foundingPlan,
  MetaAsk,
  MetaFormatError,
  parseAddresses,
} from "@headrace/meta";
import type { ClusterSettings, ClusterState, Founder, FoundingOrigin, NodeAddresses } from "@headrace/meta";
import type { Logger, MetaResponse, PeerNetwork, Random, RecordStore, Scheduler, Timer } from "@headrace/ports";
import { decodeRecord, encodeRecord } from "./record-json.ts";

export const FOUNDING_RECORD = "founding";
export const TOKEN_RECORD = "join-token";

/** Kinds of metadata requests that founding asks; the first three it answers too. */
export const FoundingAsk = {
  hello: "founding.hello",
  prepare: "founding.prepare",
  commit: "founding.commit",
  join: MetaAsk.join,
} as const;

const ROUND_MS = 500;
const ASK_TIMEOUT_MS = 2000;
/** Being taken in is a change of the cluster state: it may have to wait for an election. */
const JOIN_TIMEOUT_MS = 10_000;

export interface FoundingConfig {
  readonly addresses: NodeAddresses;
  readonly seeds: readonly string[];
  readonly bootstrapExpect: number;
  readonly shards: number;
  readonly replicas: number;
  readonly settings: ClusterSettings;
}

export interface FoundingWorld {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly recordStore: RecordStore;
  readonly peerNetwork: Pick<PeerNetwork, "askMeta">;
  readonly logger: Logger;
}

/** What the backup says instead of the configuration. */
export interface FoundingBackup {
  readonly origin: FoundingOrigin;
  readonly replicas: number;
  readonly settings: ClusterSettings;
}

/** The outcome: this node has this id in this cluster. `founded`: the state is the first one, and the node's groups begin with it. */
export interface Membership {
  readonly state: ClusterState;
  readonly nodeId: number;
  readonly founded: boolean;
}

export interface FoundingCallbacks {
  /** Called once. The owner stores the identity durably, then calls `stored`. */
  onMember(membership: Membership, stored: () => void): void;
  /** A record can't be read or written: the node can't start. */
  onFailed(message: string): void;
}

/** What a node says of itself to one that asks. */
type Phase = "starting" | "empty" | "prepared" | "member";

interface Hello {
  readonly address: string;
  readonly token: string;
  readonly phase: Phase;
  readonly clusterId: string;
  readonly founders: string;
  /** Id of the backup that it would found from; empty: none. */
  readonly backup: string;
  readonly addresses: NodeAddresses;
}

interface Plan {
  readonly state: ClusterState;
  readonly nodeId: number;
}

export class Founding {
  readonly #config: FoundingConfig;
  readonly #world: FoundingWorld;
  readonly #callbacks: FoundingCallbacks;
  /** Addresses of the founders, sorted. */
  readonly #founders: readonly string[];
  #token: string;
  #phase: Phase;
  #plan: Plan | null;
  /** The decision is taken and the identity is being stored: nothing may change it any more. */
  #deciding: boolean;
  #writing: boolean;
  /** A member was asked to take this node in: its answer may make it one, so no plan is taken meanwhile. */
  #joining: boolean;
  #closed: boolean;
  #timer: Timer | null;
  #waitingFor: string;
  #clusterId: string;
  #backup: FoundingBackup | null;

  constructor(config: FoundingConfig, world: FoundingWorld, callbacks: FoundingCallbacks) {
    this.#config = config;
    this.#world = world;
    this.#callbacks = callbacks;
    const seeds = config.seeds.length === 0 ? [config.addresses.peerAddress] : config.seeds;
    this.#founders = [...new Set(seeds.slice(0, config.bootstrapExpect))].sort();
    this.#token = "";
    this.#phase = "starting";
    this.#plan = null;
    this.#deciding = false;
    this.#writing = false;
    this.#joining = false;
    this.#closed = false;
    this.#timer = null;
    this.#waitingFor = "starting";
    this.#clusterId = "";
    this.#backup = null;
  }

  /** What it is waiting for, for readiness and the log; empty when it is done. */
  get waitingFor(): string {
    return this.#waitingFor;
  }

  /** For a directory without an identity: finds or founds a cluster; from the backup if there is one, which has been verified. */
  start(backup: FoundingBackup | null = null): void {
    this.#backup = backup;
    this.#readToken(() =>
      this.#readPlan(() => {
        this.#phase = this.#plan === null ? "empty" : "prepared";
        this.#round();
      }),
    );
  }

  /** The directory has an identity: only answers others from here on. */
  alreadyMember(clusterId: string): void {
    this.#phase = "member";
    this.#clusterId = clusterId;
    this.#waitingFor = "";
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  /** Answers a request of another founder; false: not one of ours. */
  answer(kind: string, body: Readonly<Record<string, unknown>>, answer: (response: MetaResponse) => void): boolean {
    switch (kind) {
      case FoundingAsk.hello:
        answer({ ok: true, body: this.#hello() });
        return true;
      case FoundingAsk.prepare:
        this.#onPrepare(body, answer);
        return true;
      case FoundingAsk.commit:
        this.#onCommit(body, answer);
        return true;
      default:
        return false;
    }
  }

  // ── what is on disk ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #readToken(then: () => void): void {
    const { recordStore, random } = this.#world;
    recordStore.read(TOKEN_RECORD, (result) => {
      if (this.#closed) return;
      if (!result.ok) return this.#fail(`record ${TOKEN_RECORD} can't be read: ${result.message}`);
      if (result.value !== null) {
        const decoded = decodeRecord(result.value);
        const token = decoded.kind === "record" ? decoded.fields["token"] : null;
        if (typeof token !== "string") return this.#fail(`record ${TOKEN_RECORD} is damaged`);
        this.#token = token;
        return then();
      }
      const token = randomHex(random, 4);
      recordStore.write(TOKEN_RECORD, encodeRecord({ token }), (written) => {
        if (this.#closed) return;
        if (!written.ok) return this.#fail(`record ${TOKEN_RECORD} can't be written: ${written.message}`);
        this.#token = token;
        then();
      });
    });
  }

  #readPlan(then: () => void): void {
    this.#world.recordStore.read(FOUNDING_RECORD, (result) => {
      if (this.#closed) return;
      if (!result.ok) return this.#fail(`record ${FOUNDING_RECORD} can't be read: ${result.message}`);
      if (result.value !== null) {
        const decoded = decodeRecord(result.value);
        const plan = decoded.kind === "record" ? parsePlan(decoded.fields) : null;
        if (plan === null) return this.#fail(`record ${FOUNDING_RECORD} is damaged or newer than this program`);
        this.#plan = plan;
      }
      then();
    });
  }

  #storePlan(plan: Plan, done: (stored: boolean) => void): void {
    if (this.#writing) return done(false);
    this.#writing = true;
    const content = encodeRecord({ nodeId: plan.nodeId, plan: clusterStateToJson(plan.state) });
    this.#world.recordStore.write(FOUNDING_RECORD, content, (written) => {
      this.#writing = false;
      if (this.#closed) return;
      if (!written.ok) {
        this.#fail(`record ${FOUNDING_RECORD} can't be written: ${written.message}`);
        return done(false);
      }
      this.#plan = plan;
      this.#phase = "prepared";
      done(true);
    });
  }

  // ── one round: look around, then do the one thing that is possible ────────────────────────────────────────────────────────────────

  #round(): void {
    if (this.#closed || this.#deciding) return;
    const addresses = [...new Set([...this.#founders, ...this.#config.seeds])];
    const hellos: Hello[] = [];
    let open = addresses.length;
    if (open === 0) return this.#wait("a seed to join: none is configured");
    for (const address of addresses) {
      this.#ask(address, FoundingAsk.hello, {}, (response) => {
        const hello = response === null || !response.ok ? null : parseHello(address, response.body);
        if (hello !== null) hellos.push(hello);
        if (--open === 0) this.#decide(hellos);
      });
    }
  }

  #decide(hellos: readonly Hello[]): void {
    if (this.#closed || this.#deciding || this.#writing) return this.#again();
    const member = hellos.find((hello) => hello.phase === "member" && hello.token !== this.#token);
    if (member !== undefined) {
      const planned = this.#plan?.state.clusterId;
      const ours = hellos.find((hello) => hello.phase === "member" && hello.clusterId === planned);
      if (this.#plan !== null && ours !== undefined) return this.#commit(this.#plan);
      if (planned !== undefined) {
        // Another founder may still decide on our plan: this node has promised to be part of it.
        return this.#wait(
          `founding of cluster ${planned}; ${member.address} is a member of ${member.clusterId} instead`,
        );
      }
      return this.#join(hellos.filter((hello) => hello.phase === "member"));
    }
    const founders = hellos.filter((hello) => this.#founders.includes(hello.address));
    const own = founders.find((hello) => hello.token === this.#token);
    if (own === undefined)
      return this.#wait("a cluster to join: none of the seeds is a member of one, and this node is no founder");
    if (own.address !== this.#founders[0]) return this.#wait(`founder ${this.#founders[0]!} to found the cluster`);
    const missing = this.#founders.filter((address) => !founders.some((hello) => hello.address === address));
    if (missing.length > 0) return this.#wait(`founders that can't be reached: ${missing.join(", ")}`);
    const starting = founders.find((hello) => hello.phase === "starting");
    if (starting !== undefined) return this.#wait(`founder ${starting.address} to start`);
    if (this.#founders.length !== this.#config.bootstrapExpect || distinct(founders) !== founders.length) {
      return this.#wait(`${this.#config.bootstrapExpect} founders: the seeds name ${distinct(founders)}`);
    }
    const other = founders.find((hello) => hello.founders !== own.founders);
    if (other !== undefined)
      return this.#wait(`one list of founders: ${other.address} has ${other.founders}, this node ${own.founders}`);
    const differing = founders.find((hello) => hello.backup !== own.backup);
    if (differing !== undefined) {
      const named = (backup: string): string => (backup === "" ? "none" : backup);
      return this.#wait(
        `one backup: ${differing.address} has ${named(differing.backup)}, this node ${named(own.backup)}`,
      );
    }
    this.#prepare(founders);
  }

  /** Phase 1, leading founder. */
  #prepare(founders: readonly Hello[]): void {
    const known = this.#plan;
    const isUsable = known !== null && namesAll(known.state, founders) && this.#isFromOurBackup(known);
    const plan = isUsable ? known : this.#newPlan(founders);
    this.#storePlan(plan, (stored) => {
      if (!stored) return this.#again();
      const others = founders.filter((hello) => hello.token !== this.#token);
      let open = others.length;
      let refused = "";
      if (open === 0) return this.#commit(plan);
      for (const other of others) {
        const nodeId = nodeIdOf(plan.state, other.token);
        const body = { token: other.token, nodeId, plan: clusterStateToJson(plan.state) };
        this.#ask(other.address, FoundingAsk.prepare, body, (response) => {
          if (response === null || !response.ok) refused = other.address;
          if (--open > 0) return;
          if (refused !== "") return this.#wait(`founder ${refused} to take the plan`);
          // Nobody but this node can have replaced the plan meanwhile, but it may have been closed or become a member.
          if (this.#plan === plan) this.#commit(plan, others);
        });
      }
    });
  }

  #newPlan(founders: readonly Hello[]): Plan {
    const sorted = [...founders].sort((a, b) => (a.address < b.address ? -1 : 1));
    const listed: Founder[] = sorted.map((hello) => ({ joinToken: hello.token, ...hello.addresses }));
    const state = foundingPlan({
      clusterId: randomHex(this.#world.random, 4),
      founders: listed,
      shardCount: this.#config.shards,
      replicaCount: this.#backup?.replicas ?? this.#config.replicas,
      settings: this.#backup?.settings ?? this.#config.settings,
      ...(this.#backup === null ? {} : { origin: this.#backup.origin }),
    });
    return { state, nodeId: nodeIdOf(state, this.#token) };
  }

  /** Phase 2: this node is a member from here on, whatever happens. */
  #commit(plan: Plan, others: readonly Hello[] = []): void {
    if (this.#deciding || this.#closed) return;
    const { clusterId } = plan.state;
    this.#become({ state: plan.state, nodeId: plan.nodeId, founded: true }, () => {
      for (const other of others) {
        // Not asked again when it gets lost: the other one looks around by itself.
        this.#ask(other.address, FoundingAsk.commit, { clusterId, token: other.token }, () => undefined);
      }
    });
  }

  #join(members: readonly Hello[]): void {
    const clusters = new Set(members.map((hello) => hello.clusterId));
    if (clusters.size > 1) return this.#wait(`one cluster: the seeds belong to ${[...clusters].join(" and ")}`);
    const member = members[this.#world.random.below(members.length)]!;
    const body = { joinToken: this.#token, addresses: this.#config.addresses };
    this.#joining = true;
    this.#ask(member.address, FoundingAsk.join, body, (response) => {
      this.#joining = false;
      const nodeId = response?.body["nodeId"];
      const state = response?.ok === true ? parseState(response.body["state"]) : null;
      if (state === null || typeof nodeId !== "number") {
        const error = response?.body["error"];
        const reason = typeof error === "string" ? error : "no answer";
        return this.#wait(`cluster ${member.clusterId} to take this node in: ${reason}`);
      }
      this.#become({ state, nodeId, founded: false }, () => undefined);
    });
  }

  #become(membership: Membership, then: () => void): void {
    if (this.#deciding || this.#closed) return;
    this.#deciding = true;
    this.#timer?.cancel();
    this.#callbacks.onMember(membership, () => {
      this.alreadyMember(membership.state.clusterId);
      then();
    });
  }

  // ── what others ask ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #hello(): Record<string, unknown> {
    return {
      token: this.#token,
      phase: this.#phase,
      clusterId: this.#phase === "member" ? this.#clusterId : "",
      founders: this.#founders.join(","),
      backup: this.#backup?.origin.backupId ?? "",
      addresses: this.#config.addresses,
    };
  }

  #onPrepare(body: Readonly<Record<string, unknown>>, answer: (response: MetaResponse) => void): void {
    const refuse = (error: string): void => answer({ ok: false, body: { error } });
    if (this.#phase === "member" || this.#phase === "starting") return refuse(`is ${this.#phase}`);
    if (this.#deciding || this.#joining) return refuse("is becoming a member");
    if (body["token"] !== this.#token) return refuse("is another than asked for");
    const plan = parsePlan(body);
    if (plan === null || nodeIdOf(plan.state, this.#token) !== plan.nodeId)
      return refuse("does not understand the plan");
    if (!this.#isFromOurBackup(plan)) return refuse("has another backup");
    this.#storePlan(plan, (stored) => (stored ? answer({ ok: true, body: {} }) : refuse("could not store the plan")));
  }

  #onCommit(body: Readonly<Record<string, unknown>>, answer: (response: MetaResponse) => void): void {
    const plan = this.#plan;
    const isOurs = plan !== null && plan.state.clusterId === body["clusterId"] && body["token"] === this.#token;
    // While a plan is being written the answer would be about the one before it: the next round finds out.
    if (isOurs && !this.#writing) this.#commit(plan);
    answer({ ok: isOurs, body: {} });
  }

  #isFromOurBackup(plan: Plan): boolean {
    return plan.state.restoredFrom === (this.#backup?.origin.backupId ?? "");
  }

  // ── small steps ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #ask(
    address: string,
    kind: string,
    body: Record<string, unknown>,
    then: (response: MetaResponse | null) => void,
  ): void {
    const timeoutMs = kind === FoundingAsk.join ? JOIN_TIMEOUT_MS : ASK_TIMEOUT_MS;
    this.#world.peerNetwork.askMeta(address, { kind, body }, timeoutMs, (result) => {
      if (!this.#closed) then(result.ok ? result.value : null);
    });
  }

  #wait(reason: string): void {
    if (reason !== this.#waitingFor) {
      this.#waitingFor = reason;
      this.#world.logger.info("founding_waits", { waiting_for: reason });
    }
    this.#again();
  }

  #again(): void {
    if (this.#closed || this.#deciding) return;
    this.#timer?.cancel();
    this.#timer = this.#world.scheduler.after(ROUND_MS, () => this.#round());
  }

  #fail(message: string): void {
    this.#closed = true;
    this.#waitingFor = message;
    this.#callbacks.onFailed(message);
  }
}

function distinct(hellos: readonly Hello[]): number {
  return new Set(hellos.map((hello) => hello.token)).size;
}

function namesAll(state: ClusterState, founders: readonly Hello[]): boolean {
  return (
    state.nodes.length === founders.length &&
    founders.every((hello) => state.nodes.some((node) => node.joinToken === hello.token))
  );
}

/** 0: not named. */
function nodeIdOf(state: ClusterState, token: string): number {
  return state.nodes.find((node) => node.joinToken === token)?.id ?? 0;
}

function parsePlan(body: Readonly<Record<string, unknown>>): Plan | null {
  const nodeId = body["nodeId"];
  const state = parseState(body["plan"]);
  return state === null || typeof nodeId !== "number" || state.node(nodeId) === null ? null : { state, nodeId };
}

/** null: not a state that this program knows; whoever sent it is told so. */
export function parseState(value: unknown): ClusterState | null {
  try {
    return clusterStateFromJson(value);
  } catch (error) {
    if (error instanceof MetaFormatError) return null;
    throw error;
  }
}

function parseHello(address: string, body: Readonly<Record<string, unknown>>): Hello | null {
  const { token, phase, clusterId, founders } = body;
  const backup = typeof body["backup"] === "string" ? body["backup"] : "";
  if (typeof token !== "string" || typeof clusterId !== "string" || typeof founders !== "string") return null;
  if (phase !== "starting" && phase !== "empty" && phase !== "prepared" && phase !== "member") return null;
  try {
    return { address, token, phase, clusterId, founders, backup, addresses: parseAddresses(body["addresses"]) };
  } catch (error) {
    if (error instanceof MetaFormatError) return null;
    throw error;
  }
}

export function randomHex(random: Random, words: number): string {
  let text = "";
  for (let i = 0; i < words; i++) text += random.u32().toString(16).padStart(8, "0");
  return text;
}
