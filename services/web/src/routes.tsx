import { type ComponentType, lazy, type LazyExoticComponent } from "react";
import { matchRoute, type Parser } from "wouter";
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
  page: LazyExoticComponent<ComponentType<PageProps>> & { load: Load };
  nav?: Entry; // in the navigation
  menu?: Entry; // in the user's menu
  needs?: Role; // in some namespace; else it is not offered
}

type Load = () => Promise<{ default: ComponentType<PageProps> }>;

const loaded = (load: Load): PageRoute["page"] => Object.assign(lazy(load), { load });

/** Every page of the site, each in a file of its own that is loaded when it is opened. */
export const routes: readonly PageRoute[] = [
  {
    path: "/",
    page: loaded(() => import("./pages/overview/OverviewPage")),
    nav: { label: "Overview", icon: "overview", key: "o" },
  },
  {
    path: "/jobs",
    page: loaded(() => import("./pages/jobs/JobsPage")),
    nav: { label: "Jobs", icon: "jobs", key: "j" },
  },
  { path: "/jobs/new", page: loaded(() => import("./pages/edit/EditPage")) },
  { path: "/jobs/:id/edit", page: loaded(() => import("./pages/edit/EditPage")) },
  { path: "/jobs/:id", page: loaded(() => import("./pages/job/JobPage")) },
  {
    path: "/runs",
    page: loaded(() => import("./pages/runs/RunsPage")),
    nav: { label: "Runs", icon: "runs", key: "r" },
  },
  { path: "/runs/:id", page: loaded(() => import("./pages/run/RunPage")) },
  {
    path: "/timeline",
    page: loaded(() => import("./pages/timeline/TimelinePage")),
    nav: { label: "Timeline", icon: "timeline", key: "t" },
  },
  {
    path: "/workers",
    page: loaded(() => import("./pages/workers/WorkersPage")),
    nav: { label: "Workers", icon: "workers", key: "w" },
  },
  {
    path: "/audit",
    page: loaded(() => import("./pages/audit/EventsPage")),
    nav: { label: "Audit", icon: "audit", key: "a" },
  },
  { path: "/audit/then", page: loaded(() => import("./pages/audit/ThenPage")) },
  { path: "/audit/ledger", page: loaded(() => import("./pages/audit/LedgerPage")) },
  { path: "/audit/proof", page: loaded(() => import("./pages/audit/ProofPage")) },
  {
    path: "/account",
    page: loaded(() => import("./pages/account/AccountPage")),
    menu: { label: "Account", icon: "person", key: "m" },
  },
  {
    path: "/secrets",
    page: loaded(() => import("./pages/secrets/SecretsPage")),
    menu: { label: "Secrets", icon: "key", key: "s" },
  },
  {
    path: "/users",
    page: loaded(() => import("./pages/users/UsersPage")),
    menu: { label: "Users", icon: "people", key: "u" },
    needs: "admin",
  },
];

/** Fetch what the page at this address is made of, before it can be shown. */
export function preload(parser: Parser, address: string): void {
  const route = routes.find(({ path }) => matchRoute(parser, path, address)[0]);
  route?.page.load().catch(() => undefined); // told when it is shown
}
