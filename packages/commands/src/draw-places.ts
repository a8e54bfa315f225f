/** Places by chance, in what has `size` of them. */

/** `count` different ones, fewer than there are: every choice of so many has the same chance (Floyd's algorithm). */
export function drawPlaces(size: number, count: number, randomBelow: (n: number) => number): ReadonlySet<number> {
  const places = new Set<number>();
  for (let last = size - count; last < size; last++) {
    const place = randomBelow(last + 1);
    places.add(places.has(place) ? last : place);
  }
  return places;
}
