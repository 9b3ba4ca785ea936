/**
 * What runs, and when, each come in kinds of which one stands. Changing the kind takes out what has no effect with
 * the new one, as the server refuses it, and keeps it for the way back.
 */

import { type Draft, type Path, placed, written } from "./draft";

export type Part = "run" | "schedule";

interface Kinds {
  names: readonly string[];
  dependents: readonly Path[]; // fields elsewhere that have an effect with some of the kinds only
  idle: Readonly<Record<string, readonly string[]>>; // of those, what has none with a kind
}

const OF_PROCESS = ["env", "working_directory", "run_as", "limits.memory_bytes", "limits.cpu_time"];
const OF_TICKS = ["dst", "start", "end", "jitter", "exclude"];
const asPath = (field: string): Path => field.split(".");

const KINDS: Readonly<Record<Part, Kinds>> = {
  run: { names: ["shell", "argv", "http"], dependents: OF_PROCESS.map(asPath), idle: { http: OF_PROCESS } },
  schedule: {
    names: ["cron", "every", "at"],
    dependents: OF_TICKS.map(asPath),
    idle: { every: ["dst"], at: ["dst"], none: OF_TICKS },
  },
};

/** Which kind the draft has; undefined: none. */
export const kindOf = (draft: Draft, part: Part): string | undefined =>
  KINDS[part].names.find((name) => written(draft, [part, name]) !== undefined);

export const isIdle = (field: string, part: Part, kind: string): boolean =>
  (KINDS[part].idle[kind] ?? []).includes(field);

/** The draft with another kind of `part`. `kept`: what earlier changes took out; the new one is returned. */
export function switched(draft: Draft, kept: Draft, part: Part, to: string): { draft: Draft; kept: Draft } {
  const { names, dependents, idle } = KINDS[part];
  const own = names.map((name): Path => [part, name]);
  const gone = (path: Path): boolean =>
    path[0] === part ? path[1] !== to : (idle[to] ?? []).includes(path.join("."));
  const remembered = [...own, ...dependents].reduce((memory, path) => {
    const value = written(draft, path);
    return value === undefined ? memory : placed(memory, path, value);
  }, kept);
  const next = [...own, ...dependents].reduce(
    (result, path) => placed(result, path, gone(path) ? undefined : (written(result, path) ?? written(kept, path))),
    draft,
  );
  return { draft: next, kept: remembered };
}
