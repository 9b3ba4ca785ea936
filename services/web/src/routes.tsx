import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import type { Role } from "./api/types";
import type { IconName } from "./components/icons";

interface Entry {
  label: string;
  icon: IconName;
  key: string; // `g` and this lead there
}

/** What a page gets: the parts of its address. */
export interface PageProps {
  params: Record<string, string>;
}

export interface PageRoute {
  path: string; // as wouter reads it; the first that matches is shown
  page: LazyExoticComponent<ComponentType<PageProps>>;
  nav?: Entry; // in the navigation
  menu?: Entry; // in the user's menu
  needs?: Role; // in some namespace; else it is not offered
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
  {
    path: "/account",
    page: lazy(() => import("./pages/account/AccountPage")),
    menu: { label: "Account", icon: "person", key: "m" },
  },
  {
    path: "/secrets",
    page: lazy(() => import("./pages/secrets/SecretsPage")),
    menu: { label: "Secrets", icon: "key", key: "s" },
  },
  {
    path: "/users",
    page: lazy(() => import("./pages/users/UsersPage")),
    menu: { label: "Users", icon: "people", key: "u" },
    needs: "admin",
  },
];
