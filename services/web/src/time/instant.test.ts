import { describe, expect, test } from "vitest";
import { formatAbsolute, formatBrief, formatCountdown, formatRelative } from "./instant";

const now = Date.parse("2026-03-28T12:00:00Z");
const after = (ms: number): string => new Date(now + ms).toISOString();

test.each([
  [0, "now"],
  [900, "now"],
  [-900, "now"],
  [1000, "in 1s"],
  [-12_000, "12s ago"],
  [185_000, "in 3m 05s"],
  [-93_600_000, "1d 2h ago"],
])("an instant %d ms from now reads %s", (ms, text) => {
  expect(formatRelative(after(ms), now)).toBe(text);
});

test.each([
  [0, "now"],
  [-12_000, "12s ago"],
  [-2_014_000, "33m ago"],
  [-93_600_000, "1d ago"],
  [7_500_000, "in 2h"],
])("an instant %d ms from now reads in brief %s", (ms, text) => {
  expect(formatBrief(after(ms), now)).toBe(text);
});

test.each([
  [5000, "in 5s"],
  [300, "now"],
  [-4000, "now"], // the next poll brings the tick after it
])("a tick %d ms from now counts down as %s", (ms, text) => {
  expect(formatCountdown(after(ms), now)).toBe(text);
});

describe("an instant in full", () => {
  test("is in the job's zone, on either side of the change of the clocks", () => {
    expect(formatAbsolute("2026-03-29T00:30:00Z", "Europe/Berlin")).toMatch(/^2026-03-29 01:30:00 (CET|GMT\+1)$/);
    expect(formatAbsolute("2026-03-29T01:30:00Z", "Europe/Berlin")).toMatch(/^2026-03-29 03:30:00 (CEST|GMT\+2)$/);
  });

  test("has midnight as 00", () => {
    expect(formatAbsolute("2026-01-01T00:00:00Z", "UTC")).toBe("2026-01-01 00:00:00 UTC");
  });

  test("falls back to the browser's zone where the job's is not known to it", () => {
    expect(formatAbsolute("2026-01-01T00:00:00Z", "Mars/Olympus")).toBe(formatAbsolute("2026-01-01T00:00:00Z"));
  });
});
