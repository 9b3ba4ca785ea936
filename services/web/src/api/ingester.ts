/** The log-ingester's API: runs, output, statistics. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type Parameters, type Service, withQuery } from "./client";
import { ingester, keeper } from "./services";
import type { Execution, ExecutionList, OutputPage, RecentRunsList, SkippedTickList, Stats } from "./types";

const DEFAULT_LIMIT = 50;
const MOST_CONTINUATIONS = 5;
const OUTPUT_PAGE = 1000;
const POLL_MS = 10_000; // the feed tells at once; this is for what it could not

/** Ask the log-ingester for JSON. */
export async function ask<T>(path: string, parameters: Parameters, signal: AbortSignal): Promise<T> {
  return (await ingester()).request<T>(withQuery(path, parameters), { signal });
}

/**
 * A page of runs. The service answers within a second, with what it found so far if that was not enough; it is
 * asked to go on a few times before that is shown as the page.
 */
async function pageOfRuns(query: Parameters, signal: AbortSignal): Promise<ExecutionList> {
  const limit = Number(query["limit"] ?? DEFAULT_LIMIT);
  let page = await ask<ExecutionList>("/api/v1/executions", query, signal);
  for (let more = 0; more < MOST_CONTINUATIONS && page.searched_to !== null && page.next_cursor !== null; more++) {
    const { length } = page.executions;
    if (length >= limit) break;
    const rest = { ...query, limit: limit - length, cursor: page.next_cursor };
    const next = await ask<ExecutionList>("/api/v1/executions", rest, signal);
    page = { ...next, executions: [...page.executions, ...next.executions] };
  }
  return page;
}

/** A page of runs; `query` holds the parameters of `GET /api/v1/executions`. */
export const runsQuery = (query: Parameters) =>
  queryOptions({
    queryKey: ["runs", "list", query],
    queryFn: ({ signal }) => pageOfRuns(query, signal),
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });

/** The last runs of each of the jobs, in short. */
export const recentQuery = (jobIds: readonly string[], limit: number) =>
  queryOptions({
    queryKey: ["runs", "recent", jobIds, limit],
    queryFn: ({ signal }) => ask<RecentRunsList>("/api/v1/executions/recent", { job_id: jobIds, limit }, signal),
    enabled: jobIds.length > 0,
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });

export const runQuery = (executionId: string) =>
  queryOptions({
    queryKey: ["runs", "one", executionId],
    queryFn: ({ signal }) => ask<Execution>(executionPath(executionId), {}, signal),
  });

export const skippedQuery = (jobId: string) =>
  queryOptions({
    queryKey: ["runs", "skipped", jobId],
    queryFn: ({ signal }) => ask<SkippedTickList>("/api/v1/ticks/skipped", { job_id: jobId }, signal),
    refetchInterval: POLL_MS,
  });

/** Counts and durations; `query` holds the parameters of `GET /api/v1/stats`. */
export const statsQuery = (query: Parameters) =>
  queryOptions({
    queryKey: ["runs", "stats", query],
    queryFn: ({ signal }) => ask<Stats>("/api/v1/stats", query, signal),
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });

/** One run's output as the follower reads it. */
export class RunOutput {
  readonly #service: Service;
  readonly #executionId: string;

  constructor(service: Service, executionId: string) {
    this.#service = service;
    this.#executionId = executionId;
  }

  /** The websocket that follows the run from chunk `fromSeq` on. */
  async open(fromSeq: number): Promise<WebSocket> {
    await keeper.access();
    return new WebSocket(
      withQuery(`${socketBase(this.#service)}/ws${executionPath(this.#executionId).slice("/api/v1".length)}`, {
        from_seq: fromSeq,
      }),
    );
  }

  execution(signal: AbortSignal): Promise<Execution> {
    return this.#service.request(executionPath(this.#executionId), { signal });
  }

  output(fromSeq: number, signal: AbortSignal): Promise<OutputPage> {
    const path = `${executionPath(this.#executionId)}/output`;
    return this.#service.request(withQuery(path, { from_seq: fromSeq, limit: OUTPUT_PAGE }), { signal });
  }

  /** Where the whole output is had as a file. */
  downloadAddress(): string {
    return `${this.#service.base}${executionPath(this.#executionId)}/output?download=true`;
  }
}

/** The address of a service's websockets. */
export function socketBase(service: Service): string {
  return service.base.replace(/^http/, "ws");
}

function executionPath(executionId: string): string {
  return `/api/v1/executions/${encodeURIComponent(executionId)}`;
}
