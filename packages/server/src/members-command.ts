/**
 * `headrace cluster add|drain|remove NODE`: asks for the change and says what happens next; with --wait it looks until it has happened. Exit codes:
 * 0 done (or begun, without --wait), 1 refused or not finished in time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import {
  addedMessage,
  drainingMessage,
  expelledMessage,
  meantNode,
  notEmptyMessage,
  removedMessage,
  unknownNode,
} from "@headrace/cli";
import { MetaAsk, type ClusterState, type NodeDuty } from "@headrace/meta";
import { ClusterAsker, noAnswer } from "./cluster-asker.ts";

const CHANGE_TIMEOUT_MS = 15_000;
const LOOK_MS = 500;
/** Nothing new was begun for so many looks: it is over. The plan is looked at every 500 ms. */
const QUIET_LOOKS = 4;

export type MembersVerb = "add" | "drain" | "remove";

export interface MembersOptions {
  readonly seeds: string;
  readonly json?: boolean;
  readonly force?: boolean;
  readonly wait?: boolean;
  /** Seconds. */
  readonly timeout: string;
}

export async function runMembersCommand(verb: MembersVerb, name: string, options: MembersOptions): Promise<number> {
  const asker = new ClusterAsker(options.seeds);
  try {
    const state = await asker.state();
    if (state === null) return say(options, null, noAnswer(options.seeds));
    const nodeId = meantNode(state, name);
    if (nodeId === null) return say(options, null, unknownNode(state, name));
    const refusal = await change(asker, verb, nodeId, { state, isForced: options.force === true });
    if (refusal !== null) return say(options, null, refusal);
    if (options.wait !== true) return say(options, nodeId, message(verb, nodeId, (await asker.state()) ?? state));
    return await waitFor(asker, verb, nodeId, options);
  } finally {
    asker.close();
  }
}

/** Null: it is committed; else why not. */
async function change(
  asker: ClusterAsker,
  verb: MembersVerb,
  nodeId: number,
  known: { readonly state: ClusterState; readonly isForced: boolean },
): Promise<string | null> {
  const holds = known.state.groupsOn(nodeId).length > 0;
  if (verb === "remove" && holds && !known.isForced) return notEmptyMessage(known.state, nodeId);
  const isDirect = verb === "remove" && !holds;
  const duty: NodeDuty = verb === "add" ? "active" : verb === "drain" ? "draining" : "expelled";
  const response = isDirect
    ? await asker.request(MetaAsk.removeNode, { nodeId }, CHANGE_TIMEOUT_MS)
    : await asker.request(MetaAsk.setDuty, { nodeId, duty }, CHANGE_TIMEOUT_MS);
  if (response === null)
    return "no node could bring this to the metadata group; headrace cluster status shows who is up";
  return response.ok ? null : String(response.body["error"]);
}

function message(verb: MembersVerb, nodeId: number, state: ClusterState): string {
  if (verb === "add") return addedMessage(nodeId);
  if (verb === "drain") return drainingMessage(state, nodeId);
  return state.node(nodeId) === null ? removedMessage(nodeId) : expelledMessage(state, nodeId);
}

async function waitFor(
  asker: ClusterAsker,
  verb: MembersVerb,
  nodeId: number,
  options: MembersOptions,
): Promise<number> {
  const deadline = performance.now() + Number(options.timeout) * 1000;
  let quietLooks = 0;
  for (;;) {
    const state = await asker.state();
    if (state !== null) {
      const isQuiet = state.groupIds().every((groupId) => state.membersOf(groupId)!.change === null);
      quietLooks = isQuiet ? quietLooks + 1 : 0;
      if (verb === "remove" && state.node(nodeId) === null) return say(options, nodeId, removedMessage(nodeId));
      if (verb === "drain" && state.groupsOn(nodeId).length === 0) {
        return say(options, nodeId, drainingMessage(state, nodeId));
      }
      if (verb === "add" && quietLooks >= QUIET_LOOKS) {
        return say(options, nodeId, `node ${nodeId} is active and holds ${state.groupsOn(nodeId).length} replicas`);
      }
      if (performance.now() >= deadline) return say(options, null, `not done yet: ${message(verb, nodeId, state)}`);
    } else if (performance.now() >= deadline) {
      return say(options, null, noAnswer(options.seeds));
    }
    await sleep(LOOK_MS);
  }
}

/** `nodeId` null: it did not work. */
function say(options: MembersOptions, nodeId: number | null, text: string): number {
  const isDone = nodeId !== null;
  if (options.json === true) {
    process.stdout.write(
      `${JSON.stringify(isDone ? { ok: true, nodeId, message: text } : { ok: false, error: text })}\n`,
    );
  } else if (isDone) {
    process.stdout.write(`${text}\n`);
  } else {
    process.stderr.write(`headrace: ${text}\n`);
  }
  return isDone ? 0 : 1;
}
