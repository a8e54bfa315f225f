import * as fc from "fast-check";
import { expect, test } from "vitest";
import {
  countDown,
  countUp,
  DELIVERY_COUNT_LOWER_MAX,
  DELIVERY_COUNT_MAX,
  deliveryCountOf,
  shownDeliveryCount,
} from "../src/index.ts";

const GREATEST = 2n ** 63n - 1n;

test("counts are exact up to 2^48 − 2^16 and from 2^63 − 2^16 on", () => {
  const exact = fc.oneof(
    fc.bigInt({ min: 0n, max: 2n ** 48n - 2n ** 16n - 1n }),
    fc.bigInt({ min: GREATEST - 65_535n, max: GREATEST }),
  );
  fc.assert(fc.property(exact, (count) => shownDeliveryCount(deliveryCountOf(count)) === count));
});

test("what is between the ends is kept as the last of the lower end, and order is kept", () => {
  expect(deliveryCountOf(2n ** 50n)).toBe(DELIVERY_COUNT_LOWER_MAX);
  const any = fc.bigInt({ min: 0n, max: GREATEST });
  fc.assert(
    fc.property(
      any,
      any,
      (a, b) => a > b || shownDeliveryCount(deliveryCountOf(a)) <= shownDeliveryCount(deliveryCountOf(b)),
    ),
  );
});

test("a counter stops at 2^63 − 1, one below it comes there, and at the end of the lower end it stays", () => {
  expect(countUp(DELIVERY_COUNT_MAX)).toBe(DELIVERY_COUNT_MAX);
  expect(shownDeliveryCount(countDown(DELIVERY_COUNT_MAX))).toBe(GREATEST - 1n);
  expect(countUp(countDown(DELIVERY_COUNT_MAX))).toBe(DELIVERY_COUNT_MAX);
  expect(countUp(DELIVERY_COUNT_LOWER_MAX)).toBe(DELIVERY_COUNT_LOWER_MAX);
  expect(countDown(0)).toBe(0);
  expect(countUp(0)).toBe(1);
});
