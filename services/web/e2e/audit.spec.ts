import { createJob, expect, expectAccessible, test } from "./page";

test("a change is found in the audit, with what it changed; the crontab of before is shown", async ({ page, api }) => {
  const job = await createJob(api, { name: "audited", run: { shell: "true" }, schedule: { every: "1h" } });
  const before = new Date().toISOString();
  const spec = { name: job.name, run: { shell: "true" }, schedule: { every: "2h" } };
  const edited = await api.put(`/api/v1/jobs/${job.id}`, { data: spec, headers: { "If-Match": "*" } });
  expect(edited.status(), await edited.text()).toBe(200);

  await page.goto(`/audit?job_id=${job.id}`);
  const changed = page.getByRole("row").filter({ hasText: "Changed" });
  await expect(changed).toContainText("Took effect", { timeout: 15_000 });
  await changed.getByRole("button", { name: /^Details/ }).click();
  const details = page.getByRole("table", { name: /^What the event/ });
  await expect(details).toContainText("schedule.every");
  await expect(details.locator("del")).toHaveText("1h");
  await expect(details.locator("ins")).toHaveText("2h");
  await expectAccessible(page);

  await page.goto(`/audit/then?at=${encodeURIComponent(before)}`);
  const other = page.getByRole("row").filter({ hasText: job.name }).filter({ hasText: "Changed since" });
  await expect(other.locator("ins")).toHaveText("2h");
  const slider = page.getByRole("slider", { name: "How long ago" });
  await slider.focus();
  await page.keyboard.press("ArrowLeft");
  await expect(page).not.toHaveURL(new RegExp(encodeURIComponent(before)));
});

test("every tick of a job is in the ledger, and the chain is verified", async ({ page, api }) => {
  const job = await createJob(api, { name: "counted", run: { shell: "true" }, schedule: { every: "1s" } });
  test.slow(); // a tick's account is asked for every ten seconds
  await page.goto(`/audit/ledger?job=${job.id}`);
  await expect(page.getByText("Ran: Succeeded").first()).toBeVisible({ timeout: 30_000 });
  await api.delete(`/api/v1/jobs/${job.id}`);
  await page.goto("/audit/proof");
  await page.getByRole("button", { name: "Verify the chain" }).click();
  await expect(page.getByRole("status").filter({ hasText: "Intact." })).toBeVisible({ timeout: 30_000 });
});
