/** The master's API, at the page's own origin: what is asked of it, and the commands. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type Parameters, RefusedError, type RequestOptions, UnreachableError, withQuery } from "./client";
import { newKey } from "./keys";
import { master } from "./services";
import type {
  DependencyGraph,
  FieldProblem,
  Forecast,
  Job,
  JobFacets,
  JobHistory,
  JobList,
  JobSpec,
  Preview,
  RunAccepted,
  WorkerList,
} from "./types";

const POLL_MS = 5_000; // what others change is not in the feed
const MOST_PER_PAGE = 500;
const COMMAND_ATTEMPTS = 3;

/** A page of jobs; `query` holds the parameters of `GET /api/v1/jobs`. */
export const jobsQuery = (query: Parameters) =>
  queryOptions({
    queryKey: ["jobs", "list", query],
    queryFn: ({ signal }) => master.request<JobList>(withQuery("/api/v1/jobs", query), { signal }),
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });

/** Every job that matches, page after page; for a command to all of them. */
export async function allJobs(query: Parameters, signal?: AbortSignal): Promise<Job[]> {
  const found: Job[] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const address = withQuery("/api/v1/jobs", { ...query, limit: MOST_PER_PAGE, cursor });
    const page: JobList = await master.request<JobList>(address, signal ? { signal } : {});
    found.push(...page.jobs);
    cursor = page.next_cursor;
  }
  return found;
}

export const facetsQuery = queryOptions({
  queryKey: ["jobs", "facets"],
  queryFn: ({ signal }) => master.request<JobFacets>("/api/v1/jobs/facets", { signal }),
  staleTime: 30_000,
});

export const jobQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["jobs", "one", jobId],
    queryFn: ({ signal }) => master.request<Job>(jobPath(jobId), { signal }),
    refetchInterval: POLL_MS,
  });

export const historyQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["jobs", "history", jobId],
    queryFn: ({ signal }) => master.request<JobHistory>(`${jobPath(jobId)}/history`, { signal }),
  });

export const dependenciesQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["jobs", "dependencies", jobId],
    queryFn: ({ signal }) => master.request<DependencyGraph>(`${jobPath(jobId)}/dependencies`, { signal }),
  });

/** The next `count` ticks of a definition, as they would be for the job `jobId` if it is given. */
export const previewQuery = (spec: Partial<JobSpec>, count: number, jobId?: string) =>
  queryOptions({
    queryKey: ["preview", spec, count, jobId],
    queryFn: ({ signal }) => preview(spec, count, jobId, signal),
  });

/** What is wrong with a definition, which may still lack its name and what to run. */
export const problemsQuery = (spec: Partial<JobSpec>, jobId?: string) =>
  queryOptions({
    queryKey: ["preview", "problems", spec, jobId],
    queryFn: async ({ signal }): Promise<FieldProblem[]> => {
      try {
        await preview(spec, 1, jobId, signal);
        return [];
      } catch (error) {
        if (error instanceof RefusedError && error.problem.errors) return error.problem.errors;
        throw error;
      }
    },
  });

const preview = (spec: Partial<JobSpec>, count: number, jobId: string | undefined, signal: AbortSignal): Promise<Preview> =>
  master.request(withQuery("/api/v1/jobs/preview", { count, job_id: jobId }), { signal, method: "POST", body: spec });

const FORECAST_MS = 30_000;

/** The ticks to come; `query` holds the parameters of `GET /api/v1/forecast`. */
export const forecastQuery = (query: Parameters) =>
  queryOptions({
    queryKey: ["forecast", query],
    queryFn: ({ signal }) => master.request<Forecast>(withQuery("/api/v1/forecast", query), { signal }),
    refetchInterval: FORECAST_MS,
    placeholderData: keepPreviousData,
  });

export const workersQuery = queryOptions({
  queryKey: ["workers"],
  queryFn: ({ signal }) => master.request<WorkerList>("/api/v1/workers", { signal }),
  refetchInterval: POLL_MS,
});

export const createJob = (spec: JobSpec): Promise<Job> => command("POST", "/api/v1/jobs", { body: spec });
export const runJob = (jobId: string): Promise<RunAccepted> => command("POST", `${jobPath(jobId)}/run`);
export const pauseJob = (jobId: string): Promise<Job> => command("POST", `${jobPath(jobId)}/pause`);
export const resumeJob = (jobId: string): Promise<Job> => command("POST", `${jobPath(jobId)}/resume`);

/** Replace the definition that had `version`; a rival edit is refused with 409, which shows both. */
export const replaceJob = (jobId: string, spec: JobSpec, version: number): Promise<Job> =>
  command("PUT", jobPath(jobId), { body: spec, headers: meantFor(version) });

export const deleteJob = (jobId: string, version?: number): Promise<unknown> =>
  command("DELETE", jobPath(jobId), version === undefined ? {} : { headers: meantFor(version) });

/** Give the job the definition of `to`; refused when it is not at `version` any more. */
export const revertJob = (jobId: string, to: number, version: number): Promise<Job> =>
  command("POST", `${jobPath(jobId)}/revert`, { body: { version: to }, headers: meantFor(version) });

export const killRun = (jobId: string, executionId: string): Promise<RunAccepted> =>
  command("POST", `${jobPath(jobId)}/executions/${encodeURIComponent(executionId)}/kill`);

export const drainWorker = (workerId: string): Promise<unknown> =>
  command("POST", `/api/v1/workers/${encodeURIComponent(workerId)}/drain`);
export const undrainWorker = (workerId: string): Promise<unknown> =>
  command("POST", `/api/v1/workers/${encodeURIComponent(workerId)}/undrain`);

/** Send a command. A lost answer is asked for again under the same key, so that it takes effect once. */
export async function command<T>(
  method: "POST" | "PUT" | "PATCH" | "DELETE",
  path: string,
  { headers, ...options }: Omit<RequestOptions, "method"> = {},
): Promise<T> {
  const keyed = { ...options, method, headers: { ...headers, "Idempotency-Key": newKey() } };
  for (let attempt = 1; ; attempt++) {
    try {
      return await master.request<T>(path, keyed);
    } catch (error) {
      if (!(error instanceof UnreachableError) || attempt === COMMAND_ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300 * attempt));
  }
}

const meantFor = (version: number): Record<string, string> => ({ "If-Match": `"${version}"` });

function jobPath(jobId: string): string {
  return `/api/v1/jobs/${encodeURIComponent(jobId)}`;
}
