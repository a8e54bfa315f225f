/** What shards read of the cluster's settings, and when they may think that bounds have changed. */
import { defaultSettings, parseSetting, type ClusterSettings } from "@headrace/meta";
import { RetentionKeep } from "@headrace/engine";
import { expect, test } from "vitest";
import { followSettings, unknownSettings } from "../src/followed-settings.ts";

function settingsWith(...pairs: readonly (readonly [name: string, value: string])[]): ClusterSettings {
  return pairs.reduce((settings, [name, value]) => {
    const parsed = parseSetting(settings, name, value);
    if (!parsed.ok) throw new Error(parsed.error);
    return parsed.settings;
  }, defaultSettings);
}

test("bounds of retention are another object only when they are other bounds", () => {
  const followed = unknownSettings();
  followSettings(followed, settingsWith(["stream-retention-ms", "1000"], ["stream-retention-bytes", "2kb"]));
  const before = followed.retention;
  expect(before).toEqual({ ageMs: 1000, bytes: 2048, entries: 0, keep: RetentionKeep.nothing });
  followSettings(
    followed,
    settingsWith(["stream-retention-bytes", "2048"], ["stream-retention-ms", "1000"], ["ack", "1"]),
  );
  expect(followed.ack).toBe(1);
  expect(followed.retention).toBe(before);
  followSettings(followed, settingsWith(["stream-retention-entries", "5"], ["stream-retention-keep", "UNACKED"]));
  expect(followed.retention).toEqual({ ageMs: 0, bytes: 0, entries: 5, keep: RetentionKeep.unacknowledged });
});

test.each([
  ["stream-retention-ms", "-1"],
  ["stream-retention-ms", "1s"],
  ["stream-retention-bytes", "-1"],
  ["stream-retention-entries", "x"],
  ["stream-retention-keep", "all"],
])("%s %s is no setting", (name, value) => {
  expect(parseSetting(defaultSettings, name, value).ok).toBe(false);
});

test("the largest memory value is read again as it was written down", () => {
  const largest = settingsWith(["stream-retention-bytes", "8388607gb"]);
  expect(largest.streamRetentionBytes).toBe(8_388_607 * 1024 ** 3);
  const again = settingsWith(["stream-retention-bytes", String(largest.streamRetentionBytes)]);
  expect(again.streamRetentionBytes).toBe(largest.streamRetentionBytes);
});
