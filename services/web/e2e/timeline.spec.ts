import { createJob, expect, test } from "./page";

test("the timeline shows runs and ticks to come, moves and zooms, and its state is in the address", async ({ page, api }) => {
  const job = await createJob(api, { name: "piles-up", run: { shell: "true" }, schedule: { every: "10s" } });
  await api.post(`/api/v1/jobs/${job.id}/run`);
  await page.goto(`/timeline?q=${job.name}`);
  const lane = page.locator(".timeline-row", { hasText: job.name });
  await expect(lane.locator("rect").first()).toBeAttached({ timeout: 15_000 });
  await expect(lane.locator(".timeline-tick").first()).toBeAttached();
  await page.getByRole("button", { name: "Earlier" }).click();
  await expect(page).toHaveURL(/at=/);
  await page.getByRole("button", { name: "Now" }).click();
  await expect(page).not.toHaveURL(/at=/);
  await page.getByRole("group", { name: /Arrow keys/ }).press("+");
  await expect(page).toHaveURL(/span=15m/);
  await lane.locator("rect").last().click();
  await expect(page).toHaveURL(/\/runs/);
  await api.delete(`/api/v1/jobs/${job.id}`);
});
