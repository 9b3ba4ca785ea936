/** Axes: where round values and round times lie. Pure functions. */

const STEPS = [1, 2, 5];
const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const WIDTHS = [
  SECOND, 5 * SECOND, 15 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE,
  HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY,
];

/** A round number at or above `most`, at least 1: the top of an axis of counts. */
export function roundTop(most: number): number {
  if (most <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  const step = [...STEPS, 10].find((one) => one * power >= most) ?? 10;
  return step * power;
}

/** Round times in `start` ≤ t ≤ `end`, in ms, at most about `count` of them, on the viewer's wall clock. */
export function roundTimes(start: number, end: number, count: number): number[] {
  const width = WIDTHS.find((each) => (end - start) / each <= count) ?? 7 * DAY * Math.ceil((end - start) / (7 * DAY * count));
  const offset = new Date(start).getTimezoneOffset() * MINUTE;
  const times: number[] = [];
  for (let at = Math.ceil((start - offset) / width) * width + offset; at <= end; at += width) times.push(at);
  return times;
}

/** `14:05`; `14:05:30` on axes of less than ten minutes; `03-28` where the day is what matters. */
export function timeLabel(at: number, span: number): string {
  const date = new Date(at);
  const two = (n: number): string => String(n).padStart(2, "0");
  if (span > 2 * DAY) return `${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return span < 10 * MINUTE ? `${minutes}:${two(date.getSeconds())}` : minutes;
}
