/** The audit: the events of the log, the crontab as it was, every tick's account, the proof. */

import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type Parameters, RefusedError, withQuery } from "./client";
import { ask } from "./ingester";
import { master } from "./services";
import type { ChainHead, Crontab, CrontabDifference, EventList, Ledger, Verification } from "./types";

const POLL_MS = 10_000;
const FORBIDDEN = 403;

/** A page of events, newest first; `query` holds the parameters of `GET /api/v1/audit/events`. */
export const eventsQuery = (query: Parameters) =>
  queryOptions({
    queryKey: ["audit", "events", query],
    queryFn: ({ signal }) => ask<EventList>("/api/v1/audit/events", query, signal),
    refetchInterval: POLL_MS,
    placeholderData: keepPreviousData,
  });

/** The crontab as it stood; `query` holds the parameters of `GET /api/v1/audit/state`. */
export const crontabQuery = (query: Parameters & { at: string }) =>
  queryOptions({
    enabled: query.at !== "",
    queryKey: ["audit", "state", query],
    queryFn: ({ signal }) => master.request<Crontab>(withQuery("/api/v1/audit/state", query), { signal }),
    placeholderData: keepPreviousData,
  });

/** What is other now than it was. */
export const differenceQuery = (from: string) =>
  queryOptions({
    enabled: from !== "",
    queryKey: ["audit", "diff", from],
    queryFn: ({ signal }) => master.request<CrontabDifference>(withQuery("/api/v1/audit/diff", { from }), { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: POLL_MS,
  });

/** Every tick of a job in a span, and what became of it. */
export const ledgerQuery = (query: Parameters) =>
  queryOptions({
    queryKey: ["audit", "ledger", query],
    queryFn: ({ signal }) => ask<Ledger>("/api/v1/audit/ledger", query, signal),
    placeholderData: keepPreviousData,
  });

export const headQuery = queryOptions({
  queryKey: ["audit", "head"],
  queryFn: ({ signal }) => ask<ChainHead>("/api/v1/audit/head", {}, signal),
  refetchInterval: POLL_MS,
});

/** When the log began, rounded up to ms: before that nothing can be asked about. */
export const logBeganQuery = queryOptions({
  queryKey: ["audit", "began"],
  queryFn: async ({ signal }) => {
    try {
      return Date.parse((await ask<ChainHead>("/api/v1/audit/head", { position: 0 }, signal)).at) + 1;
    } catch (error) {
      if (error instanceof RefusedError && error.status === FORBIDDEN) return 0; // not for who sees but some namespaces
      throw error;
    }
  },
  staleTime: Infinity,
});

/** Recompute the chain of hashes from the log and from the archive. Reads all of both. */
export const verifyQuery = queryOptions({
  queryKey: ["audit", "verify"],
  queryFn: ({ signal }) => ask<Verification>("/api/v1/audit/verify", {}, signal),
  enabled: false,
  staleTime: Infinity,
  retry: false,
});
