import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { statsQuery } from "../../api/ingester";
import { forecastQuery, jobsQuery } from "../../api/master";
import { runsOfJobsQuery } from "../../api/timeline";
import type { Job, RecentRun } from "../../api/types";
import { borderOf, bucketOf, type Range } from "./range";

export const PAGE_SIZE = 40; // jobs
export const MOST_RUNS = 200; // of each job
const MOST_TICKS = 5_000;
const MINUTE = 60_000;
const LONGEST_AHEAD = 31 * 24 * 60 * MINUTE - 60 * MINUTE; // what the forecast takes

export interface Lane {
  job: Job;
  runs: readonly RecentRun[];
  ticks: readonly string[];
}

/** The jobs of a page with their runs and their ticks to come, and how many there are of all jobs together. */
export function useTimeline(search: string, cursor: string, range: Range, now: number) {
  const jobs = useQuery(jobsQuery({ q: search, cursor, limit: PAGE_SIZE }));
  const ids = useMemo(() => jobs.data?.jobs.map(({ job_id }) => job_id) ?? [], [jobs.data]);
  const runs = useQuery(runsOfJobsQuery(ids, iso(range.start), iso(range.end), MOST_RUNS));
  const border = borderOf(range, now);
  const coming = useComing(range, border, now, ids);
  const all = useQuery({
    ...statsQuery({ start: iso(range.start), end: iso(border), bucket: bucketOf(range).text }),
    enabled: border > range.start,
  });
  const lanes = useMemo(() => lanesOf(jobs.data?.jobs ?? [], runs.data?.jobs, coming.ofPage?.ticks), [jobs.data, runs.data, coming.ofPage]);
  return { jobs, lanes, past: border > range.start ? all.data : undefined, future: coming.ofAll, error: runs.error ?? all.error };
}

/** What comes: of all jobs, counted from `border` on, and of those on the page, one by one. */
function useComing(range: Range, border: number, now: number, ids: readonly string[]) {
  const end = Math.min(range.end, border + LONGEST_AHEAD);
  const soon = Math.max(range.start, Math.floor(now / MINUTE) * MINUTE);
  const { text: bucket } = bucketOf(range);
  const counted = { start: iso(border), end: iso(end), bucket, limit: 0 };
  const listed = { start: iso(soon), end: iso(end), bucket, job_id: ids, limit: MOST_TICKS };
  const ofAll = useQuery({ ...forecastQuery(counted), enabled: end > border });
  const ofPage = useQuery({ ...forecastQuery(listed), enabled: end > soon && ids.length > 0 });
  return { ofAll: end > border ? ofAll.data : undefined, ofPage: end > soon ? ofPage.data : undefined };
}

function lanesOf(
  jobs: readonly Job[],
  runs: readonly { job_id: string; runs: readonly RecentRun[] }[] = [],
  ticks: readonly { job_id: string; at: string }[] = [],
): Lane[] {
  const runsOf = new Map(runs.map((each) => [each.job_id, each.runs]));
  const ticksOf = new Map<string, string[]>();
  for (const { job_id, at } of ticks) ticksOf.set(job_id, [...(ticksOf.get(job_id) ?? []), at]);
  return jobs.map((job) => ({ job, runs: runsOf.get(job.job_id) ?? [], ticks: ticksOf.get(job.job_id) ?? [] }));
}

const iso = (at: number): string => new Date(at).toISOString();
