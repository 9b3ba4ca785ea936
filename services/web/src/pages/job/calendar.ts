/** The next ticks by days of a calendar, in the job's own zone (pure). */

import type { Preview } from "../../api/types";

export interface Day {
  date: string; // 2026-03-29
  ticks: string[]; // times of day
  odd: boolean; // the clock is changed, and the job feels it
  state: "past" | "known" | "beyond"; // beyond: so far the ticks were not worked out
}

export interface Month {
  title: string; // March 2026
  before: number; // empty places before the first day; weeks begin on Monday
  days: Day[];
}

/** Return this month and the `count - 1` after it. `today` is a date in the job's zone. */
export function monthsOf(preview: Preview, today: string, count: number): Month[] {
  const byDate = new Map<string, string[]>();
  for (const { local } of preview.ticks) {
    const date = local.slice(0, 10);
    byDate.set(date, [...(byDate.get(date) ?? []), local.slice(11, 19)]);
  }
  const odd = new Set(preview.odd_dates.map(({ clock }) => clock.slice(0, 10)));
  const last = preview.ticks.at(-1)?.local.slice(0, 10) ?? today;
  const [year, month] = today.split("-").map(Number) as [number, number];
  return Array.from({ length: count }, (_, ahead) => {
    const first = new Date(Date.UTC(year, month - 1 + ahead, 1));
    const length = new Date(Date.UTC(year, month + ahead, 0)).getUTCDate();
    const days = Array.from({ length }, (_, day): Day => {
      const date = new Date(first.getTime() + day * 86_400_000).toISOString().slice(0, 10);
      const state = date < today ? "past" : date > last && preview.ticks.length > 0 ? "beyond" : "known";
      return { date, ticks: byDate.get(date) ?? [], odd: odd.has(date), state };
    });
    const title = first.toLocaleDateString("en", { month: "long", year: "numeric", timeZone: "UTC" });
    return { title, before: (first.getUTCDay() + 6) % 7, days };
  });
}

/** Today's date in a zone. */
export function dateIn(zone: string, now: number): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone: zone, dateStyle: "short" }).format(now);
}
