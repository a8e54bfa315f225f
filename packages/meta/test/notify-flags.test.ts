/** notify-keyspace-events: what is set is what is shown, in Redis' order; texts as redis-server 7.0.15 shows them. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { notifyFlagsText, parseNotifyFlags } from "../src/index.ts";

test.each([
  ["", ""],
  ["AKE", "AKE"],
  ["EKA", "AKE"],
  ["tgxKE", "gxtKE"],
  ["g$lshzxetdK", "AK"],
  ["mKEx", "xKEm"],
  ["nE", "nE"],
])("%s is shown as %s", (text, shown) => {
  expect(notifyFlagsText(parseNotifyFlags(text)!)).toBe(shown);
});

test("a letter that is none is refused", () => {
  for (const text of ["q", "KEq", "k", " ", "K E"]) expect(parseNotifyFlags(text), text).toBe(null);
});

test("what is shown means the same: settings are stored so", () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom(..."Ag$lshzxeKEtmdn".split(""))), (letters) => {
      const flags = parseNotifyFlags(letters.join(""))!;
      expect(parseNotifyFlags(notifyFlagsText(flags))).toBe(flags);
    }),
  );
});
