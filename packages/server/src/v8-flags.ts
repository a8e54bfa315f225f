/**
 * How V8 should collect garbage in nodes and gateways. Their heap is small (tens of MB) while buffers outside of it come and go at hundreds of MB a
 * second; by default V8 answers that with a full mark-compact every 64 MB of buffers: 30–45 of them for 300,000 entries, 3–16 ms each. Counted into the
 * ordinary limits it is a few, and the short scavenges free most buffers (see bench/results/gc-flags.txt). A heap that begins larger than this
 * has none at all, but lets followers carry 280 MB of buffers that nobody needs: untouched memory is dear (a page fault each), so less is more. How far
 * garbage may grow beside what is in use decides what a node with a memory budget takes beyond it (bench/results/tiers-heap.txt).
 *
 * They have to be on the command line, because the heap is laid out before the first line of ours runs. deploy/Dockerfile repeats them.
 */
export const V8_FLAGS: readonly string[] = [
  "--external-memory-accounted-in-global-limit",
  "--external-memory-max-growing-factor=1.3",
  "--initial-heap-size=128",
  "--min-semi-space-size=32",
];
