/** Instants as people read them: seen from now, and in full. */

import { formatElapsed } from "./duration";

const NOW_MS = 1000; // nearer than this is "now"

/** `now`, `in 3m 05s`, `12s ago`, `4d 2h ago`. */
export function formatRelative(instant: string, now: number): string {
  const ahead = Date.parse(instant) - now;
  if (Math.abs(ahead) < NOW_MS) return "now";
  return ahead > 0 ? `in ${formatElapsed(ahead)}` : `${formatElapsed(-ahead)} ago`;
}

/** The same in one unit, for what is long past: `now`, `12s ago`, `33m ago`, `4d ago`. */
export function formatBrief(instant: string, now: number): string {
  return formatRelative(instant, now).replace(/(\d+[dhm]) \d+[hms]( ago)?$/, "$1$2");
}

/** When a job is due next. A tick that is past but not yet replaced by the next one is due now. */
export function formatCountdown(instant: string, now: number): string {
  return Date.parse(instant) - now < NOW_MS ? "now" : formatRelative(instant, now);
}

/** The instant in `zone` (the browser's own when undefined): `2026-03-29 02:30:00 GMT+1`. */
export function formatAbsolute(instant: string, zone?: string): string {
  const parts = new Map(absoluteFormat(zone).formatToParts(new Date(instant)).map((part) => [part.type, part.value]));
  const date = `${parts.get("year")}-${parts.get("month")}-${parts.get("day")}`;
  return `${date} ${parts.get("hour")}:${parts.get("minute")}:${parts.get("second")} ${parts.get("timeZoneName")}`;
}

/** The time of day with milliseconds, in the browser's zone: `14:03:07.250`. */
export function formatClock(instant: string): string {
  const at = new Date(instant);
  const [h, m, s] = [at.getHours(), at.getMinutes(), at.getSeconds()].map((n) => String(n).padStart(2, "0"));
  return `${h}:${m}:${s}.${String(at.getMilliseconds()).padStart(3, "0")}`;
}

const formats = new Map<string | undefined, Intl.DateTimeFormat>(); // building one costs far more than using it

function absoluteFormat(zone: string | undefined): Intl.DateTimeFormat {
  let format = formats.get(zone);
  if (!format) {
    format = newFormat(zone);
    formats.set(zone, format);
  }
  return format;
}

function newFormat(zone: string | undefined): Intl.DateTimeFormat {
  const shape: Intl.DateTimeFormatOptions = {
    year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    hourCycle: "h23", timeZoneName: "short",
  };
  try {
    return new Intl.DateTimeFormat("en-GB", zone ? { ...shape, timeZone: zone } : shape);
  } catch {
    return new Intl.DateTimeFormat("en-GB", shape); // a zone that this browser does not know
  }
}
