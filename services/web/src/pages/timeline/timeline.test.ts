import { describe, expect, test } from "vitest";
import type { RecentRun } from "../../api/types";
import { blocksOf, marksOf } from "./lanes";
import { borderOf, bucketOf, centreAround, rangeOf, SPANS, zoomed } from "./range";

const MINUTE = 60_000;
const NOW = Date.parse("2026-03-01T12:00:00Z");
const range = { start: NOW, end: NOW + 100 * MINUTE };

function run(from: number, minutes: number, status: RecentRun["status"] = "succeeded"): RecentRun {
  const at = (minute: number): string => new Date(NOW + minute * MINUTE).toISOString();
  const finished_at = status === "running" ? null : at(from + minutes);
  return { execution_id: `r${from}`, due_at: at(from), started_at: at(from), finished_at, status };
}

describe("the runs of a job", () => {
  test("are blocks as long as they took", () => {
    const blocks = blocksOf([run(50, 10, "failed"), run(10, 20)], range, 1000, NOW);
    expect(blocks.map(({ x, width, status }) => [x, width, status])).toEqual([
      [100, 200, "succeeded"],
      [500, 100, "failed"],
    ]);
  });

  test("that would cover each other are one block, as bad as the worst of them", () => {
    const many = Array.from({ length: 1000 }, (_, n) => run(n / 1000, 0, n === 500 ? "timed_out" : "succeeded"));
    const blocks = blocksOf(many, range, 1000, NOW);
    expect(blocks.length).toBeLessThan(5);
    expect(blocks.reduce((sum, block) => sum + block.runs.length, 0)).toBe(1000);
    expect(blocks.filter(({ status }) => status === "timed_out")).toHaveLength(1);
  });

  test("that go on reach to the present, and what is out of sight is not drawn", () => {
    const now = NOW + 30 * MINUTE;
    const [going] = blocksOf([run(20, 0, "running"), run(-50, 10), run(200, 1)], range, 1000, now);
    expect([going?.x, going?.width]).toEqual([200, 100]);
    expect(blocksOf([run(-5, 10)], range, 1000, now)[0]).toMatchObject({ x: 0, width: 50 });
  });
});

test("ticks to come are drawn once for each pixel", () => {
  const ticks = Array.from({ length: 6000 }, (_, n) => new Date(NOW + n * 1000).toISOString());
  const marks = marksOf(ticks, range, 100);
  expect(marks[0]).toBe(0);
  expect(marks).toHaveLength(new Set(marks).size);
  expect(marks.length).toBeLessThanOrEqual(101);
});

describe("the range", () => {
  test("follows the present in steps, so that the same is asked for a while", () => {
    const one = rangeOf("1h", null, NOW + 1);
    expect(rangeOf("1h", null, NOW + 2000)).toEqual(one);
    expect(one.end - one.start).toBe(SPANS["1h"]);
    expect(one.end).toBeGreaterThan(NOW);
  });

  test("is of the past up to the end of the present bucket", () => {
    const range = { start: NOW, end: NOW + 60 * MINUTE };
    expect(borderOf(range, NOW + 90_000)).toBe(NOW + 2 * MINUTE);
    expect(borderOf(range, NOW - MINUTE)).toBe(NOW);
    expect(borderOf(range, NOW + 90 * MINUTE)).toBe(range.end);
  });

  test("keeps what is under the pointer when it is zoomed", () => {
    const fixed = NOW + 25 * MINUTE;
    const centre = centreAround(range, fixed, 50 * MINUTE);
    const { start } = { start: centre - 25 * MINUTE };
    expect((fixed - start) / (50 * MINUTE)).toBeCloseTo(0.25);
  });

  test("has ends to its zoom, and whole seconds for buckets", () => {
    expect(zoomed("15m", 1)).toBe("15m");
    expect(zoomed("7d", -1)).toBe("7d");
    expect(zoomed("1h", 1)).toBe("15m");
    expect(bucketOf({ start: 0, end: 3_600_000 })).toEqual({ text: "60s", ms: 60_000 });
  });
});
