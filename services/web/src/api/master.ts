/** The master's API, at the page's own origin. */

import { Service, UnreachableError, withQuery } from "./client";
import { newKey } from "./keys";
import type { Info, Job, JobList, RunAccepted } from "./types";

const master = new Service("master", "");
const COMMAND_ATTEMPTS = 3;

export const getInfo = (signal?: AbortSignal): Promise<Info> => master.request("/api/v1/info", options(signal));

export interface JobQuery {
  q: string;
  cursor: string;
  limit: number;
}

export function getJobs(query: JobQuery, signal?: AbortSignal): Promise<JobList> {
  return master.request(withQuery("/api/v1/jobs", { ...query }), options(signal));
}

export function getJob(jobId: string, signal?: AbortSignal): Promise<Job> {
  return master.request(jobPath(jobId), options(signal));
}

export const runJob = (jobId: string): Promise<RunAccepted> => command(`${jobPath(jobId)}/run`);
export const pauseJob = (jobId: string): Promise<Job> => command(`${jobPath(jobId)}/pause`);
export const resumeJob = (jobId: string): Promise<Job> => command(`${jobPath(jobId)}/resume`);

/** Send a command. A lost answer is asked for again under the same key, so that it takes effect once. */
async function command<T>(path: string): Promise<T> {
  const headers = { "Idempotency-Key": newKey() };
  for (let attempt = 1; ; attempt++) {
    try {
      return await master.request<T>(path, { method: "POST", headers });
    } catch (error) {
      if (!(error instanceof UnreachableError) || attempt === COMMAND_ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 300 * attempt));
  }
}

function jobPath(jobId: string): string {
  return `/api/v1/jobs/${encodeURIComponent(jobId)}`;
}

function options(signal: AbortSignal | undefined): { signal?: AbortSignal } {
  return signal ? { signal } : {};
}
