import { expect, test } from "vitest";
import { isFiltered, parametersOf, RUN_FILTERS } from "./filters";

const now = Date.parse("2026-03-01T12:00:07Z");

test("a span ends now, and is the same question for ten seconds", () => {
  const filters = { ...RUN_FILTERS, since: "1h", status: ["failed"] };
  expect(parametersOf(filters, now)).toMatchObject({ status: ["failed"], start: "2026-03-01T11:00:00.000Z" });
  expect(parametersOf(filters, now + 2_000)).toEqual(parametersOf(filters, now));
  expect(parametersOf(RUN_FILTERS, now)).toHaveProperty("start", "");
});

test("a span that is none is no filter", () => {
  expect(parametersOf({ ...RUN_FILTERS, since: "eternity" }, now)).toHaveProperty("start", "");
});

test("whether anything is chosen out", () => {
  expect([isFiltered(RUN_FILTERS), isFiltered({ ...RUN_FILTERS, status: ["lost"] })]).toEqual([false, true]);
});
