/** The log-ingester's API, at the address that the master's `/api/v1/info` gives. */

import { Service, withQuery } from "./client";
import type { Execution, ExecutionList, OutputPage, SkippedTickList } from "./types";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);
const OUTPUT_PAGE = 500;

/**
 * Return where to reach the log-ingester from the page at `page`.
 *
 * Empty or relative: behind the same proxy as the page. A browser's cookie is for one host name, so when
 * both are this machine, the ingester is called by the name that the page was opened with.
 */
export function ingesterAddress(given: string, page: string): string {
  const address = new URL(given || "/", page);
  const here = new URL(page);
  if (LOOPBACK.has(address.hostname) && LOOPBACK.has(here.hostname)) address.hostname = here.hostname;
  return address.href.replace(/\/+$/, "");
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

  /** Address of the websocket that follows a run. */
  liveAddress(executionId: string): string {
    return `${this.#service.base.replace(/^http/, "ws")}/ws/executions/${encodeURIComponent(executionId)}`;
  }

  #get<T>(path: string, signal: AbortSignal | undefined): Promise<T> {
    return this.#service.request<T>(path, signal ? { signal } : {});
  }
}

function executionPath(executionId: string): string {
  return `/api/v1/executions/${encodeURIComponent(executionId)}`;
}
