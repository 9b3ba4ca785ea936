/** Where the two services are, and what was last known of them: one cache for the whole page. */

import { QueryClient, queryOptions } from "@tanstack/react-query";
import { SessionKeeper } from "../session/keeper";
import { RefusedError, Service } from "./client";
import type { AccessToken, Info, Session } from "./types";

const INFO_POLL_MS = 15_000;
const ATTEMPTS = 3;

/** Keeps the last good answer while later ones fail; a refusal is not asked for again. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (failures, error) => !(error instanceof RefusedError && error.status < 500) && failures < ATTEMPTS - 1,
      retryDelay: (failures) => 300 * 2 ** failures,
      staleTime: 1_000,
      networkMode: "always", // a service on this machine answers without a network too
    },
    mutations: { networkMode: "always" },
  },
});

const login = new Service("master", ""); // what is asked of the master about the session itself

export const keeper = new SessionKeeper(
  {
    session: () => login.request<Session>("/api/v1/session"),
    access: (csrf) =>
      login.request<AccessToken>("/api/v1/session/access", { method: "POST", headers: { "X-CSRF-Token": csrf } }),
  },
  () => window.location.reload(),
);

export const master = new Service("master", "", keeper.atMaster);

export const infoQuery = queryOptions({
  queryKey: ["info"],
  queryFn: ({ signal }) => master.request<Info>("/api/v1/info", { signal }),
  refetchInterval: INFO_POLL_MS,
  staleTime: INFO_POLL_MS,
});

/** The log-ingester, once the master has told where it is; behind the page's proxy when it says nothing. */
export const ingesterService = queryOptions({
  ...infoQuery,
  select: serviceOf,
});

/** The same for who waits for it. */
export const ingester = async (): Promise<Service> => serviceOf(await queryClient.ensureQueryData(infoQuery));

const services = new Map<string, Service>();

function serviceOf({ log_ingester_url: given }: Info): Service {
  const address = ingesterAddress(given, window.location.href);
  const service = services.get(address) ?? new Service("log-ingester", address, keeper.atIngester);
  services.set(address, service);
  return service;
}

/** Return where to reach the log-ingester from the page at `page`; empty or relative: behind the page's proxy. */
export function ingesterAddress(given: string, page: string): string {
  return new URL(given || "/", page).href.replace(/\/+$/, "");
}
