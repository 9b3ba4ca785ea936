import { expect, test } from "vitest";
import type { Stream } from "../api/types";
import type { Line } from "./lines";
import { RowMap } from "./rows";

const line = (number: number, text: string, stream: Stream = "stdout"): Line => ({
  number, stream, at: "", text, cut: 0, spans: null,
});

test("without wrapping a line is a row", () => {
  const map = new RowMap({ columns: null, stream: null });
  map.update([line(1, "a".repeat(500)), line(2, "b")], 0);
  expect([map.count, map.rows, map.shownAt(1), map.rowOf(1)]).toEqual([2, 2, 1, 1]);
});

test("wrapped lines take as many rows as they need, empty ones one", () => {
  const map = new RowMap({ columns: 10, stream: null });
  map.update([line(1, "x".repeat(25)), line(2, ""), line(3, "y".repeat(10)), line(4, "漢字漢字漢字")], 0);
  expect([0, 1, 2, 3].map((shown) => map.rowOf(shown))).toEqual([0, 3, 4, 5]);
  expect(map.rows).toBe(7);
  expect([0, 2, 3, 4, 6, 99].map((row) => map.shownAt(row))).toEqual([0, 0, 1, 2, 3, 3]);
});

test("one stream alone: places lead back to the buffer", () => {
  const map = new RowMap({ columns: null, stream: "stderr" });
  map.update([line(1, "a"), line(2, "b", "stderr"), line(3, "c"), line(4, "d", "stderr")], 0);
  expect([map.count, map.placeOf(0), map.placeOf(1)]).toEqual([2, 1, 3]);
  expect([0, 1, 2, 3, 4].map((place) => map.shownOf(place))).toEqual([0, 0, 1, 1, 2]);
});

test("a line that grows, and lines that come, change only what is behind them", () => {
  const lines = [line(1, "a"), line(2, "b")];
  const map = new RowMap({ columns: 4, stream: null });
  map.update(lines, 0);
  map.update([lines[0]!, line(2, "bbbbbbbb"), line(3, "c")], 1);
  expect([map.count, map.rows, map.rowOf(2)]).toEqual([3, 4, 3]);
});

test("a million lines are found in no time", () => {
  const many = Array.from({ length: 1_000_000 }, (_, n) => line(n + 1, "x".repeat(n % 30)));
  const map = new RowMap({ columns: 10, stream: null });
  map.update(many, 0);
  const row = map.rowOf(765_432);
  expect(map.shownAt(row)).toBe(765_432);
  expect(map.shownAt(row - 1)).toBe(765_431);
});
