import { expect, test } from "vitest";
import type { Line } from "./lines";
import { LineSearch } from "./search";

const lines = (...texts: string[]): Line[] =>
  texts.map((text, n) => ({ number: n + 1, stream: "stdout", at: "", text, cut: 0, spans: null }));

test("whatever the case, in the order of the lines", () => {
  const search = new LineSearch("Error");
  expect(search.step(lines("ok", "an ERROR", "ok", "error: x"))).toBe(false);
  expect(search.matches).toEqual([1, 3]);
  expect([0, 2, 4].map((place) => search.firstFrom(place))).toEqual([0, 1, 0]);
});

test("it is text, not a pattern", () => {
  const search = new LineSearch("a.b*");
  search.step(lines("axbb", "a.b*c"));
  expect(search.matches).toEqual([1]);
});

test("a slice of time at a time, and on from where it was", () => {
  const many = lines(...Array.from({ length: 10_000 }, (_, n) => (n % 1000 === 0 ? "hit" : "miss")));
  const search = new LineSearch("hit");
  let now = 0;
  let steps = 1;
  while (search.step(many, () => (now += 100))) steps += 1;
  expect(steps).toBeGreaterThan(2);
  expect(search.matches).toHaveLength(10);
});

test("lines that changed are looked at again", () => {
  const search = new LineSearch("hit");
  search.step(lines("hit", "hit"));
  search.changed(1);
  search.step(lines("hit", "miss", "hit"));
  expect(search.matches).toEqual([0, 2]);
});
