/**
 * What every test of the page stands on: a browser that an administrator is logged in with, and three judges that
 * watch it all the time.
 *
 * A test fails when the page logs an error (a refused style or script does too), throws, or asks for anything
 * that is not at the two services' addresses.
 */

import { test as base, expect, type APIRequest, type APIRequestContext, type BrowserContextOptions, type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const TOKEN = process.env["DCRON_TOKEN"] ?? "";
const PAGE = process.env["DCRON_PAGE"] ?? "";
const NOBODY = { cookies: [], origins: [] };
const ALLOWED = [process.env["DCRON_PAGE"], process.env["DCRON_INGESTER"]].map((url) => new URL(url ?? "").host);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Judged {
  /** Console errors that a test brings about on purpose; each pattern may match any number. */
  expectErrors(pattern: RegExp): void;
}

type State = Exclude<BrowserContextOptions["storageState"], string | undefined>;

export const test = base.extend<{ judged: Judged; api: APIRequestContext }, { login: State }>({
  /** The cookies of an administrator, who logged in by a one-time link before the first test. */
  login: [
    async ({ playwright }, use) => {
      const api = await bootstrapped(playwright.request);
      const browser = await playwright.request.newContext({ baseURL: PAGE });
      const user = await createUser(api, "page", { "*": "admin" });
      await browser.get(await loginLink(api, user));
      await use(await browser.storageState());
      await Promise.all([api.dispose(), browser.dispose()]);
    },
    { scope: "worker" },
  ],
  storageState: async ({ login }, use) => use(login),
  judged: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      const expected: RegExp[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") wrong.push(`console: ${message.text()}`);
      });
      page.on("pageerror", (error) => wrong.push(`thrown: ${error.message}`));
      page.on("request", (request) => {
        if (!ALLOWED.includes(new URL(request.url()).host)) wrong.push(`asked elsewhere: ${request.url()}`);
      });
      await use({ expectErrors: (pattern) => void expected.push(pattern) });
      expect(wrong.filter((text) => !expected.some((pattern) => pattern.test(text)))).toEqual([]);
    },
    { auto: true },
  ],
  /** The master's API with the bootstrap token, for what a test needs to be there. */
  api: async ({ playwright }, use) => {
    const context = await bootstrapped(playwright.request);
    await use(context);
    await context.dispose();
  },
});

export { expect };

const bootstrapped = (request: APIRequest): Promise<APIRequestContext> =>
  request.newContext({ baseURL: PAGE, extraHTTPHeaders: { Authorization: `Bearer ${TOKEN}` }, storageState: NOBODY });

let created = 0;

/** Create a user; what is given gets what makes it the test's own. Returns the name. */
export async function createUser(api: APIRequestContext, given: string, grants: Record<string, string>, password = ""): Promise<string> {
  const name = `${given}-${process.pid}-${++created}`;
  const answer = await api.post("/api/v1/users", { data: { name, grants, password } });
  expect(answer.status(), await answer.text()).toBe(201);
  return name;
}

/** Make a one-time login link; returns its path, which is the same at each address of the master. */
export async function loginLink(api: APIRequestContext, user: string): Promise<string> {
  const answer = await api.post(`/api/v1/users/${user}/login-links`);
  expect(answer.status(), await answer.text()).toBe(201);
  const { pathname, search } = new URL(((await answer.json()) as { url: string }).url);
  return pathname + search;
}

/** Log the browser out and in again as a user of its own. */
export async function become(page: Page, api: APIRequestContext, user: string): Promise<void> {
  await page.context().clearCookies();
  await page.goto(await loginLink(api, user));
  await expect(page.getByRole("button", { name: `You are ${user}` })).toBeVisible();
}

/** Create a job; the name that is given gets what makes it the test's own. Returns its id and name. */
export async function createJob(
  api: APIRequestContext,
  spec: { name: string; [field: string]: unknown },
): Promise<{ id: string; name: string }> {
  const name = `${spec.name}-${process.pid}-${++created}`;
  const answer = await api.post("/api/v1/jobs", { data: { ...spec, name } });
  expect(answer.status(), await answer.text()).toBe(201);
  return { id: ((await answer.json()) as { job_id: string }).job_id, name };
}

/** Hold the page as it is against WCAG 2.2 A and AA, in both themes. No finding is let through. */
export async function expectAccessible(page: Page): Promise<void> {
  for (const theme of ["light", "dark"]) {
    await page.evaluate((name) => document.documentElement.setAttribute("data-mantine-color-scheme", name), theme);
    await page.evaluate(async () => {
      const passing = document.getAnimations().filter((animation) => animation instanceof CSSTransition);
      await Promise.allSettled(passing.map((animation) => animation.finished)); // one may be cut short
    });
    await page.evaluate(AXE); // by the debugger, which the page's policy does not bind
    const findings = await page.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
      const { violations } = await axe.run(document, { runOnly: tags });
      return violations.map(({ id, nodes }) => ({ id, nodes: nodes.map((node) => `${node.html}: ${node.failureSummary}`) }));
    });
    expect(findings, theme).toEqual([]);
  }
}
