/**
 * What our own fixtures expect of a directive, one claim a line behind the dashes:
 *
 *   N: leader term=1 vote=1 lead=1 commit=3 applied=3     role and numbers of node N, as many as are named
 *   N log 1/3 1/4:foo 2/5=v2(v2,l3)                       its stable log, whole: term/index, a text, or a configuration change (v1 or v2)
 *   N unstable 2/6                                        what is not known to be stable, in the same form
 *   N terms 3: 1 1 2                                      terms of its stable log, whole, from the index named on
 *   N conf voters=(1 2)&&(1) learners=(3) autoleave
 *   N state abc                                           content of the state machine
 *   N sees M StateReplicate match=3 next=4                a leader's view of M
 *   N event became leader at term 1                       logged during this directive; `no event` for its contrary
 *   sent MsgApp=2 MsgAppResp=1                            all messages of all Readys, by type; `sent none`
 *   released … , delivered … , dropped …                  the same of local threads and of this directive's deliveries
 *   message 1->2 MsgApp Term:1 Log:1/3 Commit:3           is among those sent or released
 *   error raft proposal dropped                           without it the directive must succeed
 */
import { describeProgressJson } from "./status-text.ts";
import type { EntryJson, MessageJson } from "./describe.ts";
import type { NodeJson, ReportJson } from "./report.ts";

const roles: Record<string, string> = {
  StateFollower: "follower",
  StatePreCandidate: "precandidate",
  StateCandidate: "candidate",
  StateLeader: "leader",
};

/** For each claim that does not hold: the claim, and what is there instead. */
export function brokenClaims(claims: readonly string[], report: ReportJson): string[] {
  const broken: string[] = [];
  let expectsError = false;
  for (const line of claims) {
    const claim = line.trim();
    if (claim.startsWith("error ")) expectsError = true;
    const actual = actualOf(claim, report);
    if (actual !== claim) broken.push(`expected "${claim}", got "${actual}"`);
  }
  if (!expectsError && report.error !== null) broken.push(`unexpected error "${report.error}"`);
  return broken;
}

/** The same claim with what is really there: equal to it if it holds. */
function actualOf(claim: string, report: ReportJson): string {
  const ofNode = /^(\d+)(:| )\s*(.*)$/.exec(claim);
  if (ofNode !== null) {
    const node = report.nodes.find(({ id }) => id === Number(ofNode[1]));
    if (node === undefined) return `no node ${ofNode[1]}`;
    const rest = ofNode[3]!;
    return `${node.id}${ofNode[2] === ":" ? `: ${numbersOf(rest, node)}` : ` ${aspectOf(rest, node)}`}`;
  }
  const [word = "", ...rest] = claim.split(" ");
  switch (word) {
    case "sent":
      return `sent ${countsOf(
        report.nodes.flatMap(({ messages }) => messages),
        rest,
      )}`;
    case "released":
      return `released ${countsOf(
        report.nodes.flatMap(({ responses }) => responses),
        rest,
      )}`;
    case "delivered":
      return `delivered ${countsOf(report.delivered, rest)}`;
    case "dropped":
      return `dropped ${countsOf(report.dropped, rest)}`;
    case "message": {
      const sent = report.nodes.flatMap(({ messages, responses }) => [...messages, ...responses]);
      const text = rest.join(" ");
      return sent.some((m) => m.text === text) ? claim : `message ${sent.map((m) => m.text).join(" | ")}`;
    }
    case "error":
      return `error ${report.error}`;
    default:
      return "a claim that cannot be read";
  }
}

function numbersOf(claims: string, node: NodeJson): string {
  const values: Record<string, number> = {
    term: node.term,
    vote: node.vote,
    lead: node.leader,
    commit: node.commit,
    applied: node.applied,
    first: node.firstIndex,
    last: node.unstable.at(-1)?.index ?? node.log.at(-1)?.index ?? node.firstIndex - 1,
  };
  return claims
    .split(/\s+/)
    .map((word) => {
      const [key, value] = word.split("=");
      return value === undefined ? roles[node.role] : `${key}=${values[key!]}`;
    })
    .join(" ");
}

function aspectOf(claim: string, node: NodeJson): string {
  const [word = "", ...rest] = claim.split(" ");
  switch (word) {
    case "log":
      return ["log", ...node.log.map(shortEntry)].join(" ");
    case "unstable":
      return ["unstable", ...node.unstable.map(shortEntry)].join(" ");
    case "terms":
      return `terms ${node.firstIndex}: ${node.log.map(({ term }) => term).join(" ")}`;
    case "conf":
      return `conf ${node.configuration.text}`;
    case "state":
      return `state ${node.state}`.trimEnd();
    case "sees": {
      const progress = node.progress.find(({ id }) => id === Number(rest[0]));
      return `sees ${rest[0]} ${progress === undefined ? "nothing" : describeProgressJson(progress)}`;
    }
    case "event":
      return node.events.includes(rest.join(" ")) ? claim : `event ${node.events.join(" | ")}`;
    case "no":
      return node.events.includes(rest.slice(1).join(" ")) ? `event ${node.events.join(" | ")}` : claim;
    default:
      return "a claim that cannot be read";
  }
}

function shortEntry({ term, index, type, data }: EntryJson): string {
  if (type !== "EntryNormal") {
    return `${term}/${index}=${type === "EntryConfChange" ? "v1" : "v2"}(${data.replaceAll(" ", ",")})`;
  }
  return data === "" ? `${term}/${index}` : `${term}/${index}:${data}`;
}

/** Counts by type in the order in which the claim names them, others behind. */
function countsOf(messages: readonly MessageJson[], claimed: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of claimed) if (name.includes("=")) counts.set(name.split("=")[0]!, 0);
  for (const { type } of messages) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts.size === 0 ? "none" : [...counts].map(([type, count]) => `${type}=${count}`).join(" ");
}
