/**
 * The definition that is being written, as JSON: the form and the YAML view are two views of this one thing.
 *
 * A draft may hold anything, also what the server refuses or what no field of the form shows. A field at its default is
 * not in it, so that what is sent says only what was meant.
 */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
export type Draft = { [name: string]: Json };
export type Path = readonly string[];

/** What a field is when a definition does not say it; a field without a default here is absent then. */
const DEFAULTS: Readonly<Record<string, Json>> = {
  namespace: "default",
  description: "",
  owner: "",
  tags: [],
  enabled: true,
  "run.http.method": "POST",
  "run.http.headers": {},
  "run.http.body": "",
  "run.http.expect_status": [],
  env: {},
  kill_grace: "10s",
  timezone: "UTC",
  "dst.gap": "default",
  "dst.overlap": "default",
  exclude: [],
  overlap: "skip",
  "misfire.policy": "skip",
  "misfire.limit": 100,
  "misfire.start_deadline": "1m",
  "retry.attempts": 0,
  "retry.backoff": "10s",
  "retry.backoff_cap": "10m",
  "retry.on": ["failed", "timed_out", "lost"],
  "placement.labels": "",
  "placement.workers": "one",
  after: [],
};

const PARTS = ["schedule", "dst", "misfire", "retry", "placement", "limits", "run"]; // empty, they say nothing

/** The order of a definition's fields, as people read them. */
const ORDER = [
  "name", "namespace", "description", "owner", "tags", "enabled", "run", "env", "working_directory", "run_as", "schedule",
  "timezone", "dst", "start", "end", "jitter", "exclude", "overlap", "misfire", "retry", "timeout", "kill_grace",
  "placement", "after", "limits", "retention", "notify",
];

export const isObject = (value: unknown): value is { [name: string]: Json } =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Whether two values say the same; the order of an object's fields does not matter. */
export function same(one: Json | undefined, other: Json | undefined): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, at) => same(item, other[at]));
  }
  if (isObject(one) && isObject(other)) {
    const names = new Set([...Object.keys(one), ...Object.keys(other)]);
    return [...names].every((name) => Object.hasOwn(one, name) && Object.hasOwn(other, name) && same(one[name], other[name]));
  }
  return one === other;
}

export const defaultOf = (path: Path): Json | undefined => DEFAULTS[path.join(".")];

/** The value at `path` as it is written; undefined where nothing is. */
export function written(draft: Draft, path: Path): Json | undefined {
  let value: Json | undefined = draft;
  for (const name of path) {
    if (!isObject(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
  }
  return value;
}

/** The value at `path`, or its default. */
export const valueAt = (draft: Draft, path: Path): Json | undefined => written(draft, path) ?? defaultOf(path);

/** The draft with `value` at `path`. Nothing, an empty text and a default are left out, and a part with no field too. */
export function withValue(draft: Draft, path: Path, value: Json | undefined): Draft {
  const said = value === "" || value === null || same(value, defaultOf(path)) ? undefined : value;
  return placed(draft, path, said);
}

/** The same for a value that is kept whatever it is; undefined takes it out. */
export function placed(draft: Draft, path: Path, value: Json | undefined): Draft {
  const [name, ...rest] = path;
  if (name === undefined) return draft;
  const inner = draft[name];
  const placedInside = rest.length === 0 ? value : placed(isObject(inner) ? inner : {}, rest, value);
  const isEmptied = rest.length > 0 && isObject(placedInside) && Object.keys(placedInside).length === 0;
  if (placedInside !== undefined && !isEmptied) return { ...draft, [name]: placedInside };
  return Object.fromEntries(Object.entries(draft).filter(([known]) => known !== name));
}

/** The draft without what only repeats a default, its fields in the order of a definition. */
export function tidied(draft: Draft): Draft {
  let tidy = draft;
  for (const [field, usual] of Object.entries(DEFAULTS)) {
    const path = field.split(".");
    if (same(written(tidy, path), usual)) tidy = placed(tidy, path, undefined);
  }
  const entries = Object.entries(tidy).filter(([name, value]) => !isHollow(name, value));
  const rank = ([name]: [string, Json]): number => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return Object.fromEntries(entries.sort((one, other) => rank(one) - rank(other)));
}

const isHollow = (name: string, value: Json): boolean =>
  value === null || (PARTS.includes(name) && isObject(value) && Object.keys(value).length === 0);

const OF_TICKS = ["schedule", "timezone", "dst", "start", "end", "jitter", "exclude"];

/** The part of a draft that says when it runs. */
export const scheduleOf = (draft: Draft): Draft =>
  Object.fromEntries(Object.entries(draft).filter(([name]) => OF_TICKS.includes(name)));
