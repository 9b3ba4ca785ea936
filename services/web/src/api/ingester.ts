/** The log-ingester's API, at the address that the master's `/api/v1/info` gives. */

import { Service, withQuery } from "./client";
import type { Execution, ExecutionList, OutputPage, SkippedTickList } from "./types";

const OUTPUT_PAGE = 500;

/** Return where to reach the log-ingester from the page at `page`; empty or relative: behind the page's proxy. */
export function ingesterAddress(given: string, page: string): string {
  return new URL(given || "/", page).href.replace(/\/+$/, "");
}

export class Ingester {
  readonly #service: Service;

  constructor(base: string) {
    this.#service = new Service("log-ingester", base);
  }

  executions(jobId: string, limit: number, cursor: string, signal?: AbortSignal): Promise<ExecutionList> {
    return this.#get(withQuery("/api/v1/executions", { job_id: jobId, limit, cursor }), signal);
  }

  /** The newest run of each of the jobs that has one. */
  latest(jobIds: string[], signal?: AbortSignal): Promise<ExecutionList> {
    return this.#get(withQuery("/api/v1/executions/latest", { job_id: jobIds }), signal);
  }

  execution(executionId: string, signal?: AbortSignal): Promise<Execution> {
    return this.#get(executionPath(executionId), signal);
  }

  output(executionId: string, fromSeq: number, signal?: AbortSignal): Promise<OutputPage> {
    const path = `${executionPath(executionId)}/output`;
    return this.#get(withQuery(path, { from_seq: fromSeq, limit: OUTPUT_PAGE }), signal);
  }

  skipped(jobId: string, signal?: AbortSignal): Promise<SkippedTickList> {
    return this.#get(withQuery("/api/v1/ticks/skipped", { job_id: jobId }), signal);
  }

  /** Address of the websocket that follows a run from chunk `fromSeq` on. */
  liveAddress(executionId: string, fromSeq: number): string {
    const base = this.#service.base.replace(/^http/, "ws");
    return withQuery(`${base}/ws/executions/${encodeURIComponent(executionId)}`, { from_seq: fromSeq });
  }

  #get<T>(path: string, signal: AbortSignal | undefined): Promise<T> {
    return this.#service.request<T>(path, signal ? { signal } : {});
  }
}

function executionPath(executionId: string): string {
  return `/api/v1/executions/${encodeURIComponent(executionId)}`;
}
