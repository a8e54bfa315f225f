/** Groups and consumers come in the bytewise order of their names, as Redis' radix trees give them. Latin1 strings compare like their bytes. */
export function sortedByName<T extends { readonly name: string }>(items: Iterable<T>): readonly T[] {
  return [...items].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
