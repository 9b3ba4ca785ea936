/** How the pipeline of runs keeps up. */

import { queryOptions } from "@tanstack/react-query";
import { ask } from "./ingester";
import type { Pipeline } from "./types";

const POLL_MS = 5_000;

export const pipelineQuery = queryOptions({
  queryKey: ["pipeline"],
  queryFn: ({ signal }) => ask<Pipeline>("/api/v1/pipeline", {}, signal),
  refetchInterval: POLL_MS,
});
