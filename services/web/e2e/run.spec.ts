import type { APIRequestContext } from "@playwright/test";
import { readFile } from "node:fs/promises";
import { createJob, expect, expectAccessible, test } from "./page";

const MARKUP = `<img src=x onerror="document.title='broken'"><script>document.title='broken'</script>`;

async function runOf(api: APIRequestContext, name: string, shell: string): Promise<string> {
  const job = await createJob(api, { name, run: { shell } });
  const asked = await api.post(`/api/v1/jobs/${job.id}/run`);
  return ((await asked.json()) as { execution_id: string }).execution_id;
}

test("G9: output is seen as it is written, and the run can be killed", async ({ page, api }) => {
  const job = await createJob(api, { name: "counts", run: { shell: "for i in $(seq 1 600); do echo tick $i; sleep 0.1; done" } });
  await page.goto(`/jobs/${job.id}`);
  await page.getByRole("button", { name: "Run now" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Run now" }).click();
  await expect(page).toHaveURL(/\/runs\//);
  const output = page.getByRole("log", { name: "Output" });
  await expect(output.getByText("tick 3", { exact: true })).toBeVisible();
  await expect(output.getByText("tick 20", { exact: true })).toBeVisible(); // it follows
  await page.getByRole("button", { name: "Kill" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Kill" }).click();
  await expect(page.getByText("The run is asked to end.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 }).locator("..")).toContainText("Killed");
  await expect(page.getByText("SIGTERM (15)")).toBeVisible();
  await expect(page.getByRole("button", { name: "Kill" })).toHaveCount(0);
});

test("output full of markup and escapes stays text, with its colours", async ({ page, api }) => {
  const shell = String.raw`printf '\033[31mred %s\033[0m\n' "$TEXT"; printf '\033]8;;javascript:alert(1)\007link\033]8;;\007\n' >&2`;
  const job = await createJob(api, { name: "hostile", run: { shell }, env: { TEXT: MARKUP } });
  const asked = await api.post(`/api/v1/jobs/${job.id}/run`);
  const { execution_id: run } = (await asked.json()) as { execution_id: string };
  await page.goto(`/runs/${run}`);
  await expect(page.getByText("Complete")).toBeVisible();
  await expect(page.locator(".ansi-fg-1")).toHaveText(`red ${MARKUP}`);
  await expect(page.locator(".line-stderr .line-text")).toHaveText("link");
  await expect(page.locator("[role=log] :is(img, script, a)")).toHaveCount(0);
  await expect(page).not.toHaveTitle("broken");
  await expectAccessible(page);
  await page.getByText("stderr", { exact: true }).click();
  await expect(page.locator(".line")).toHaveCount(1);
});

test("a million lines: drawn few at a time, searched, wrapped and saved", async ({ page, api }) => {
  const run = await runOf(api, "million", "seq 1 1000000");
  await page.goto(`/runs/${run}`);
  await expect(page.getByText("Complete")).toBeVisible({ timeout: 25_000 });
  await expect(page.locator(".line-number").last()).toHaveText("1000000");
  expect(await page.locator(".line").count()).toBeLessThan(150);
  await page.keyboard.press("/");
  await page.keyboard.type("77777");
  await expect(page.locator(".output-count")).toHaveText("19");
  await page.keyboard.press("Enter");
  await expect(page.locator(".line-current .line-text")).toHaveText("77777");
  await expect(page.locator(".line-current mark")).toBeInViewport();
  await page.keyboard.press("Shift+Enter");
  await expect(page.locator(".line-current .line-text")).toHaveText("977777");
  await page.getByRole("button", { name: "Wrap" }).click();
  await page.getByRole("button", { name: "Timestamps" }).click();
  await page.getByRole("button", { name: "Follow" }).click();
  await expect(page.locator(".line-number").last()).toHaveText("1000000");
  await expect(page.locator(".line-time").last()).toHaveText(/^\d\d:\d\d:\d\d\.\d{3}$/);

  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const saved = await readFile(await download.path(), "utf8");
  expect(saved.split("\n").length).toBe(1_000_001);
});

test("attempts of a tick lead to each other", async ({ page, api }) => {
  const job = await createJob(api, { name: "retried", run: { shell: "exit 3" }, retry: { attempts: 1, backoff: "1s" } });
  const asked = await api.post(`/api/v1/jobs/${job.id}/run`);
  const { execution_id: run } = (await asked.json()) as { execution_id: string };
  await page.goto(`/runs/${run}`);
  await page.getByRole("navigation", { name: "Attempts" }).getByRole("link", { name: "2" }).click();
  await expect(page).toHaveURL(/\.2$/);
  await expect(page.getByText("attempt 2")).toBeVisible();
});
