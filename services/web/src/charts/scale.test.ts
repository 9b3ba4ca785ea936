import { expect, test } from "vitest";
import { roundTimes, roundTop, timeLabel } from "./scale";

test.each([[0, 1], [1, 1], [2, 2], [3, 5], [5, 5], [6, 10], [99, 100], [101, 200], [4999, 5000]])(
  "an axis that holds %d ends at %d",
  (most, top) => expect(roundTop(most)).toBe(top),
);

const at = (text: string): number => new Date(text).getTime(); // on the viewer's wall clock

test("round times are round on the wall clock, and few", () => {
  const hour = roundTimes(at("2026-03-01T12:07:00"), at("2026-03-01T13:07:00"), 6);
  expect(hour.map((time) => timeLabel(time, 3_600_000))).toEqual(["12:10", "12:20", "12:30", "12:40", "12:50", "13:00"]);
  expect(roundTimes(0, 365 * 86_400_000, 8).length).toBeLessThanOrEqual(9);
});

test("a label says what tells the times of its axis apart", () => {
  expect(timeLabel(at("2026-03-01T12:07:30"), 60_000)).toBe("12:07:30");
  expect(timeLabel(at("2026-03-01T12:07:30"), 86_400_000)).toBe("12:07");
  expect(timeLabel(at("2026-03-01T12:07:30"), 7 * 86_400_000)).toBe("03-01");
});
