/**
 * What every test of the page stands on: a browser that is logged in, and three judges that watch it all the time.
 *
 * A test fails when the page logs an error (a refused style or script does too), throws, or asks for anything
 * that is not at the two services' addresses.
 */

import { test as base, expect, type APIRequestContext, type Page } from "@playwright/test";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const TOKEN = process.env["DCRON_TOKEN"] ?? "";
const ALLOWED = [process.env["DCRON_PAGE"], process.env["DCRON_INGESTER"]].map((url) => new URL(url ?? "").host);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Judged {
  /** Console errors that a test brings about on purpose; each pattern may match any number. */
  expectErrors(pattern: RegExp): void;
}

export const test = base.extend<{ judged: Judged; api: APIRequestContext }>({
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
      await page.goto(`/login?token=${TOKEN}`);
      await use({ expectErrors: (pattern) => void expected.push(pattern) });
      expect(wrong.filter((text) => !expected.some((pattern) => pattern.test(text)))).toEqual([]);
    },
    { auto: true },
  ],
  /** The master's API, for what a test needs to be there. */
  api: async ({ playwright, baseURL }, use) => {
    const context = await playwright.request.newContext({
      baseURL: baseURL ?? "",
      extraHTTPHeaders: { Authorization: `Bearer ${TOKEN}` },
    });
    await use(context);
    await context.dispose();
  },
});

export { expect };

let created = 0;

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
      await Promise.all(passing.map((animation) => animation.finished));
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
