/** Instants to come as they stand in a short list: with the weekday, in a zone that is named beside it. */

export const VIEWERS_ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;

/** `Sun 2026-03-29 03:30:00`, in `zone`. */
export function tickText(instant: string, zone: string): string {
  const format = new Intl.DateTimeFormat("en-GB", {
    weekday: "short", year: "numeric", month: "2-digit", day: "2-digit",
    hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZone: zone,
  });
  const parts = new Map(format.formatToParts(new Date(instant)).map(({ type, value }) => [type, value]));
  const of = (name: Intl.DateTimeFormatPartTypes): string => parts.get(name) ?? "";
  return `${of("weekday")} ${of("year")}-${of("month")}-${of("day")} ${of("hour")}:${of("minute")}:${of("second")}`;
}

/** The same from the server's own text in the job's zone, such as `2026-03-29T03:30:00+02:00`. */
export function localText(local: string): string {
  const [, date = "", clock = ""] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)/.exec(local) ?? [];
  const weekday = new Date(`${date}T00:00:00Z`).toLocaleDateString("en-GB", { weekday: "short", timeZone: "UTC" });
  return `${weekday} ${date} ${clock}`;
}

/** The zone's distance from UTC in such a text: `+02:00`. */
export const offsetText = (local: string): string => /(Z|[+-]\d\d:\d\d)$/.exec(local)?.[0].replace("Z", "+00:00") ?? "";
