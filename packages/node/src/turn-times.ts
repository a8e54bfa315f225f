/**
 * How long this node's one thread was kept: by whole turns, and by captures in them. While it is kept nobody is answered, no log entry is persisted and no
 * heartbeat leaves.
 */
import { LatencyHistogram } from "@headrace/bytes";

export class TurnTimes {
  readonly turns: LatencyHistogram = new LatencyHistogram();
  readonly captures: LatencyHistogram = new LatencyHistogram();
}
