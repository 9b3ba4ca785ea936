import { expect, test } from "vitest";
import type { Preview } from "../../api/types";
import { dateIn, monthsOf } from "./calendar";

const preview: Preview = {
  words: "", timezone: "Europe/Berlin", excluded: [], depends_on_job: false,
  ticks: ["2026-03-28T02:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T12:00:00+02:00"].map((local) => ({ at: local, local })),
  odd_dates: [{ at: "2026-03-29T01:00:00Z", kind: "gap", clock: "2026-03-29 02:00 → 03:00", effect: "" }],
};

test("ticks stand at their day in the job's zone, and the change of the clock is marked", () => {
  const [march, april] = monthsOf(preview, "2026-03-28", 2);
  expect([march?.title, march?.before, march?.days.length]).toEqual(["March 2026", 6, 31]);
  expect(march?.days.slice(26, 30)).toEqual([
    { date: "2026-03-27", ticks: [], odd: false, state: "past" },
    { date: "2026-03-28", ticks: ["02:30:00"], odd: false, state: "known" },
    { date: "2026-03-29", ticks: ["03:30:00", "12:00:00"], odd: true, state: "known" },
    { date: "2026-03-30", ticks: [], odd: false, state: "beyond" },
  ]);
  expect([april?.title, april?.before, april?.days.length]).toEqual(["April 2026", 2, 30]);
});

test("the year turns", () => {
  expect(monthsOf(preview, "2026-12-05", 2).map(({ title }) => title)).toEqual(["December 2026", "January 2027"]);
});

test("a date is that of the zone", () => {
  const now = Date.parse("2026-03-01T23:30:00Z");
  expect([dateIn("UTC", now), dateIn("Europe/Berlin", now)]).toEqual(["2026-03-01", "2026-03-02"]);
});
