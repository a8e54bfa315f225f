/** Members by chance. */
import { MemberList } from "@headrace/engine";
import type { SetView } from "@headrace/engine";

type RandomBelow = (n: number) => number;

/** `count` different members, fewer than there are: every choice of so many has the same chance (Floyd's algorithm). */
export function drawMembers(set: SetView, count: number, randomBelow: RandomBelow): MemberList {
  const places = new Set<number>();
  for (let last = set.size - count; last < set.size; last++) {
    const place = randomBelow(last + 1);
    places.add(places.has(place) ? last : place);
  }
  const members = new MemberList();
  for (const place of places) set.at(place, (bytes, start, end) => members.push(bytes, start, end));
  return members;
}
