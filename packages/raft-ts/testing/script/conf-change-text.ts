/** A proposed configuration change as scripts write it: options, and changes such as `v1 l2 r3 u4`. */
import { ConfChangeTransition, ConfChangeType, encodeConfChangeV1, encodeConfChangeV2 } from "../../src/index.ts";
import type { ConfChangeSingle } from "../../src/index.ts";
import type { Argument } from "./directive.ts";

export type ProposedChange = { readonly data: Uint8Array; readonly isV2: boolean } | { readonly error: string };

const kinds: Record<string, ConfChangeType> = {
  v: ConfChangeType.addNode,
  l: ConfChangeType.addLearnerNode,
  r: ConfChangeType.removeNode,
  u: ConfChangeType.updateNode,
};
const transitions: Record<string, ConfChangeTransition> = {
  auto: ConfChangeTransition.auto,
  implicit: ConfChangeTransition.jointImplicit,
  explicit: ConfChangeTransition.jointExplicit,
};

export function parseChanges(text: string): readonly ConfChangeSingle[] | { readonly error: string } {
  const changes: ConfChangeSingle[] = [];
  for (const token of text.split(/\s+/)) {
    if (token === "") continue;
    const match = /^([vlru])(\d+)$/.exec(token);
    if (match === null) return { error: `unknown token ${token}` };
    changes.push({ type: kinds[match[1]!]!, replica: Number(match[2]) });
  }
  return changes;
}

export function parseProposedChange(options: readonly Argument[], input: string): ProposedChange {
  let isV1 = false;
  let transition: ConfChangeTransition = ConfChangeTransition.auto;
  for (const { key, values } of options) {
    const value = values[0] ?? "";
    if (key === "v1") isV1 = value === "true" || value === "1" || value === "t";
    else if (key === "transition") {
      const found = transitions[value];
      if (found === undefined) return { error: `unknown transition ${value}` };
      transition = found;
    } else return { error: `unknown command ${key}` };
  }
  const changes = parseChanges(input);
  if ("error" in changes) return changes;
  if (!isV1) return { data: encodeConfChangeV2({ transition, changes }), isV2: true };
  if (changes.length !== 1 || transition !== ConfChangeTransition.auto) {
    return { error: "v1 conf change can only have one operation and no transition" };
  }
  return { data: encodeConfChangeV1(changes[0]!), isV2: false };
}
