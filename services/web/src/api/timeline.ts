/** What the timeline draws: the last runs of many jobs in a span of time. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { ask } from "./ingester";
import type { RecentRunsList } from "./types";

const POLL_MS = 10_000;

export const runsOfJobsQuery = (jobIds: readonly string[], start: string, end: string, limit: number) =>
  queryOptions({
    queryKey: ["runs", "timeline", jobIds, start, end, limit],
    queryFn: ({ signal }) => ask<RecentRunsList>("/api/v1/executions/recent", { job_id: jobIds, start, end, limit }, signal),
    enabled: jobIds.length > 0,
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });
