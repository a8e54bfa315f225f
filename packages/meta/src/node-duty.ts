/**
 * What a node is for.
 *
 *   spare        has joined; takes over what a lost node held, is given nothing else until it is added
 *   active       carries its share
 *   draining     everything moves away
 *   quarantined  its data can't be believed: its replicas count as lost; it may come back empty
 *   expelled     its replicas count as lost, and it leaves for good
 */
import { MetaFormatError } from "./json-shape.ts";

export const nodeDuties = ["spare", "active", "draining", "quarantined", "expelled"] as const;
export type NodeDuty = (typeof nodeDuties)[number];

export function parseDuty(value: unknown): NodeDuty {
  const duty = nodeDuties.find((each) => each === value);
  if (duty === undefined) throw new MetaFormatError(`unknown duty ${JSON.stringify(value)}`);
  return duty;
}
