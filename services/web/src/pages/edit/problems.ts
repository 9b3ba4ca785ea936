/** Where on the page a problem that the server found is shown. */

import { RefusedError } from "../../api/client";
import type { FieldProblem } from "../../api/types";
import { type Draft, type Path, same, written } from "./draft";

/** Every field that has a place in the form. */
const SHOWN = [
  "name", "namespace", "description", "owner", "tags", "run", "run.shell", "run.argv", "run.http.url", "run.http.method",
  "run.http.headers", "run.http.body", "run.http.expect_status", "env", "working_directory", "run_as", "schedule",
  "schedule.cron", "schedule.every", "schedule.at", "timezone", "dst.gap", "dst.overlap", "start", "end", "jitter",
  "exclude", "overlap", "misfire.policy", "misfire.limit", "misfire.start_deadline", "retry.attempts", "retry.backoff",
  "retry.backoff_cap", "retry.on", "timeout", "kill_grace", "placement.labels", "placement.workers", "after",
  "limits.memory_bytes", "limits.cpu_time", "limits.output_bytes", "retention",
];

/** The place that a problem's field belongs to, such as `exclude` for `exclude[1]`; undefined: it has none. */
export function placeOf(field: string): string | undefined {
  return SHOWN.filter((place) => field === place || field.startsWith(`${place}.`) || field.startsWith(`${place}[`)).sort(
    (one, other) => other.length - one.length,
  )[0];
}

/** The problems of one place in words; undefined when there are none. */
export function problemText(problems: readonly FieldProblem[], place: string): string | undefined {
  const texts = problems.filter(({ field }) => placeOf(field) === place).map((problem) => textOf(problem, place));
  return texts.length > 0 ? texts.join(". ") : undefined;
}

/** `env.DCRON_X: is set by dcron itself; choose another name`, without the field where it stands beside it. */
export function textOf({ field, message, remedy }: FieldProblem, place = ""): string {
  const name = field === place ? "" : `${field}: `;
  return `${name}${message}${remedy ? `; ${remedy}` : ""}`;
}

/** What a refusal of the server says about fields. A name that is taken, and a circle, are told of theirs. */
export function problemsOf(error: Error | null): FieldProblem[] {
  if (!(error instanceof RefusedError)) return [];
  const { errors = [], title, detail, status, current } = error.problem;
  if (errors.length > 0 || current || status !== 409) return errors;
  const field = { "the name is taken": "name", "a circle of dependencies": "after" }[title];
  return field ? [{ field, message: detail ?? title }] : [];
}

/** What a save was refused for, as long as the draft still says it there. */
export function standing(refused: readonly FieldProblem[], then: Draft, now: Draft): FieldProblem[] {
  return refused.filter(({ field }) => {
    const path: Path = (placeOf(field) ?? "").split(".");
    return field === "" || path[0] === "" ? same(then, now) : same(written(then, path), written(now, path));
  });
}

/** Both, each once. */
export function joined(some: readonly FieldProblem[], more: readonly FieldProblem[]): FieldProblem[] {
  const known = new Set(some.map((problem) => textOf(problem)));
  return [...some, ...more.filter((problem) => !known.has(textOf(problem)))];
}
