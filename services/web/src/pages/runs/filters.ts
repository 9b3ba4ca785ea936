/** What the list of runs can be filtered by, as it stands in the address. */

import type { Parameters } from "../../api/client";
import type { Status } from "../../api/types";

export type RunFilters = {
  text: string; // in the output
  status: readonly string[];
  namespace: string;
  worker_id: string;
  trigger: string;
  job: string; // a name or an id
  start: string; // due at or after; an instant
  end: string; // due before
  since: string; // a key of SPANS; stands above start
};

export const RUN_FILTERS: RunFilters = {
  text: "", status: [], namespace: "", worker_id: "", trigger: "", job: "", start: "", end: "", since: "",
};

export const STATUSES: readonly Status[] = ["running", "succeeded", "failed", "timed_out", "killed", "lost"];
export const TRIGGERS = ["tick", "request", "retry", "dependency"] as const;
export const SPANS: Record<string, number> = { "15m": 15, "1h": 60, "6h": 360, "24h": 1440, "7d": 10_080 };

const GRAIN_MS = 10_000; // so that asking again is the same question for a while

/** The parameters of `GET /api/v1/executions`. */
export function parametersOf({ since, ...filters }: RunFilters, now: number): Parameters {
  const minutes = SPANS[since];
  if (minutes === undefined) return filters;
  const start = Math.floor(now / GRAIN_MS) * GRAIN_MS - minutes * 60_000;
  return { ...filters, start: new Date(start).toISOString() };
}

export const isFiltered = (filters: RunFilters): boolean => Object.values(filters).some((value) => value.length > 0);
