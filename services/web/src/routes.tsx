import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import type { IconName } from "./components/icons";

/** What a page gets: the parts of its address. */
export interface PageProps {
  params: Record<string, string>;
}

export interface PageRoute {
  path: string; // as wouter reads it; the first that matches is shown
  page: LazyExoticComponent<ComponentType<PageProps>>;
  nav?: { label: string; icon: IconName; key: string }; // in the navigation; `g` and `key` lead there
}

/** Every page of the site, each in a file of its own that is loaded when it is opened. */
export const routes: readonly PageRoute[] = [
  {
    path: "/",
    page: lazy(() => import("./pages/overview/OverviewPage")),
    nav: { label: "Overview", icon: "overview", key: "o" },
  },
  {
    path: "/jobs",
    page: lazy(() => import("./pages/jobs/JobsPage")),
    nav: { label: "Jobs", icon: "jobs", key: "j" },
  },
  { path: "/jobs/new", page: lazy(() => import("./pages/edit/EditPage")) },
  { path: "/jobs/:id/edit", page: lazy(() => import("./pages/edit/EditPage")) },
  { path: "/jobs/:id", page: lazy(() => import("./pages/job/JobPage")) },
  {
    path: "/runs",
    page: lazy(() => import("./pages/runs/RunsPage")),
    nav: { label: "Runs", icon: "runs", key: "r" },
  },
  { path: "/runs/:id", page: lazy(() => import("./pages/run/RunPage")) },
  {
    path: "/timeline",
    page: lazy(() => import("./pages/timeline/TimelinePage")),
    nav: { label: "Timeline", icon: "timeline", key: "t" },
  },
  {
    path: "/workers",
    page: lazy(() => import("./pages/workers/WorkersPage")),
    nav: { label: "Workers", icon: "workers", key: "w" },
  },
  {
    path: "/audit",
    page: lazy(() => import("./pages/audit/EventsPage")),
    nav: { label: "Audit", icon: "audit", key: "a" },
  },
  { path: "/audit/then", page: lazy(() => import("./pages/audit/ThenPage")) },
  { path: "/audit/ledger", page: lazy(() => import("./pages/audit/LedgerPage")) },
  { path: "/audit/proof", page: lazy(() => import("./pages/audit/ProofPage")) },
];
