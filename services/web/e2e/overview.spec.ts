import { createJob, expect, test } from "./page";

test("the overview shows what runs, what failed and what comes, without a reload", async ({ page, api }) => {
  await page.goto("/?span=1h");
  const running = page.locator("section", { hasText: "Running now" });
  await expect(page.getByRole("heading", { name: "The next hour" })).toBeVisible();
  const slow = await createJob(api, { name: "goes-on", run: { shell: "sleep 600" } });
  const bad = await createJob(api, { name: "breaks", run: { shell: "exit 7" }, schedule: { every: "1h" } });
  await api.post(`/api/v1/jobs/${slow.id}/run`);
  await api.post(`/api/v1/jobs/${bad.id}/run`);
  await expect(running.getByRole("link", { name: slow.name })).toBeVisible({ timeout: 15_000 });
  const failed = page.locator("section", { hasText: "Failed lately" }).getByRole("row").filter({ hasText: bad.name });
  await expect(failed).toContainText("7", { timeout: 15_000 });
  await expect(page.getByRole("img", { name: /^Runs due: [1-9]/ })).toBeVisible();
  await expect(page.getByRole("img", { name: /^Ticks: [1-9]/ })).toBeVisible();
  await expect(page.getByLabel("At a glance")).toContainText("take runs");
  await api.delete(`/api/v1/jobs/${bad.id}`);
});
