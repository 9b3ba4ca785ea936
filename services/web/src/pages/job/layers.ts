/** Where the jobs of a dependency graph are drawn: what comes after stands further to the right. */

import type { DependencyGraph } from "../../api/types";

export interface Placed {
  job_id: string;
  column: number;
  row: number;
}

/** Return a place for each job: one column more than the furthest of those it comes after. A circle is cut. */
export function placed({ jobs, edges }: DependencyGraph): Placed[] {
  const before = new Map<string, string[]>();
  for (const edge of edges) before.set(edge.after, [...(before.get(edge.after) ?? []), edge.before]);
  const columns = new Map<string, number>();
  const columnOf = (jobId: string, way: ReadonlySet<string>): number => {
    const known = columns.get(jobId);
    if (known !== undefined) return known;
    const others = (before.get(jobId) ?? []).filter((other) => !way.has(other));
    const column = Math.max(-1, ...others.map((other) => columnOf(other, new Set([...way, jobId])))) + 1;
    columns.set(jobId, column);
    return column;
  };
  const rows = new Map<number, number>();
  return jobs.map(({ job_id }) => {
    const column = columnOf(job_id, new Set([job_id]));
    const row = rows.get(column) ?? 0;
    rows.set(column, row + 1);
    return { job_id, column, row };
  });
}
