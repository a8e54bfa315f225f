/** All examples that are run under kills. */
import { archive } from "./archive.ts";
import { consumeAndProduce, idempotentProducer, processedIds } from "./exactly-once.ts";
import { pageViews } from "./page-views.ts";
import { byKey, roundRobin } from "./partitions.ts";
import { publishSubscribe } from "./publish-subscribe.ts";
import type { Scenario } from "./scenario.ts";

export const scenarios: readonly Scenario[] = [
  pageViews,
  byKey,
  roundRobin,
  publishSubscribe,
  archive,
  idempotentProducer,
  consumeAndProduce,
  processedIds,
];
