import {
  clusterStateFromJson,
  clusterStateToJson,
  defaultSettings,
  foundingPlan,
  MetaFormatError,
} from "@headrace/meta";
import fc from "fast-check";
import { expect, test } from "vitest";

const json = clusterStateToJson(
  foundingPlan({
    clusterId: "c",
    founders: [1, 2, 3].map((i) => ({
      joinToken: `t${i}`,
      peerAddress: `n${i}:1`,
      dataAddress: "",
      httpAddress: "",
      announceHost: "",
      announcePort: 1,
    })),
    shardCount: 3,
    replicaCount: 3,
    settings: defaultSettings,
  }),
);

/** Every place in a JSON value, as paths. */
function paths(value: unknown, at: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [at];
  const inner = Object.entries(value).flatMap(([key, each]) => paths(each, [...at, key]));
  return at.length === 0 ? inner : [at, ...inner];
}

function withChange(path: readonly (string | number)[], replacement: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(json)) as Record<string, unknown>;
  let holder: Record<string | number, unknown> = copy;
  for (const key of path.slice(0, -1)) holder = holder[key] as Record<string, unknown>;
  holder[path.at(-1)!] = replacement;
  return copy;
}

test("a state with anything replaced by anything is taken as it stands or refused as damaged, never with another error", () => {
  const everywhere = paths(JSON.parse(JSON.stringify(json)));
  fc.assert(
    fc.property(fc.constantFrom(...everywhere), fc.jsonValue(), (path, replacement) => {
      try {
        clusterStateFromJson(withChange(path, replacement)).verify();
      } catch (error) {
        expect(error).toBeInstanceOf(MetaFormatError);
      }
    }),
    { numRuns: 1000 },
  );
});

test("what is no object at all is refused", () => {
  for (const value of [null, undefined, 1, "x", [], [json]]) {
    expect(() => clusterStateFromJson(value)).toThrow(MetaFormatError);
  }
});
