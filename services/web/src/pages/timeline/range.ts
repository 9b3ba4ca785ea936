/** Which part of time is looked at. Pure functions; instants in ms. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const AHEAD = 0.25; // of the span, while the present is followed
const STEPS = 120; // a followed range moves on in as many steps

export const SPANS = {
  "15m": 15 * MINUTE, "1h": HOUR, "3h": 3 * HOUR, "12h": 12 * HOUR, "1d": DAY, "3d": 3 * DAY, "7d": 7 * DAY,
} as const;
export type SpanName = keyof typeof SPANS;
const LADDER = Object.keys(SPANS) as SpanName[];

export interface Range {
  start: number;
  end: number;
}

/** The range around `centre`; with none, one that moves with the present, most of it past. */
export function rangeOf(span: SpanName, centre: number | null, now: number): Range {
  const width = SPANS[span];
  if (centre !== null) return { start: centre - width / 2, end: centre + width / 2 };
  const step = width / STEPS;
  const end = Math.floor((now + AHEAD * width) / step) * step;
  return { start: end - width, end };
}

/** The name of the span, if it is one. */
export const spanNamed = (text: string): SpanName => (LADDER as string[]).includes(text) ? (text as SpanName) : "1h";

/** The next narrower (`by` 1) or wider (`by` -1) span; the same at an end of the ladder. */
export function zoomed(span: SpanName, by: 1 | -1): SpanName {
  return LADDER[Math.min(Math.max(LADDER.indexOf(span) - by, 0), LADDER.length - 1)]!;
}

/** Where the centre is after zooming to a width such that `fixed` stays at the same place in the range. */
export function centreAround(range: Range, fixed: number, width: number): number {
  const place = (fixed - range.start) / (range.end - range.start);
  return fixed + width * (0.5 - place);
}

/** A bucket's width as the API reads it, such that a range has about `count` of them, and in ms. */
export function bucketOf({ start, end }: Range, count = 60): { text: string; ms: number } {
  const seconds = Math.max(1, Math.ceil((end - start) / count / 1000));
  return { text: `${seconds}s`, ms: seconds * 1000 };
}

/** Up to where the bars are of runs that were: the end of the bucket that holds `now`, within the range. */
export function borderOf(range: Range, now: number): number {
  const { ms } = bucketOf(range);
  const whole = Math.ceil((Math.min(now, range.end) - range.start) / ms) * ms;
  return Math.min(range.start + Math.max(whole, 0), range.end);
}
