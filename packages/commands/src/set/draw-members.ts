/** Members by chance. */
import { MemberList } from "@headrace/engine";
import type { SetView } from "@headrace/engine";
import { drawPlaces } from "../draw-places.ts";

type RandomBelow = (n: number) => number;

/** `count` different members, fewer than there are: every choice of so many has the same chance. */
export function drawMembers(set: SetView, count: number, randomBelow: RandomBelow): MemberList {
  const members = new MemberList();
  for (const place of drawPlaces(set.size, count, randomBelow))
    set.at(place, (bytes, start, end) => members.push(bytes, start, end));
  return members;
}
