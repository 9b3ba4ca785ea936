import { createJob, expect, expectAccessible, test } from "./page";

const NIGHTLY = { cron: "30 2 * * *" };

test("every part of a job's page can be used by everybody, and linked to", async ({ page, api }) => {
  const first = await createJob(api, { name: "first", run: { shell: "true" }, schedule: NIGHTLY, timezone: "Europe/Berlin" });
  await createJob(api, { name: "second", run: { shell: "true" }, after: [{ job: first.name, on: "failed" }] });
  await api.post(`/api/v1/jobs/${first.id}/run`);
  for (const tab of ["runs", "schedule", "dependencies", "versions", "definition"]) {
    await page.goto(`/jobs/${first.id}?tab=${tab}`);
    await expect(page.getByRole("tab", { selected: true })).toHaveText(new RegExp(tab, "i"));
    await expect(page.getByRole("tabpanel").locator(".panel").first()).toBeVisible();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    await expectAccessible(page);
  }
});

test("the next ticks stand on a calendar, and the nights on which the clock changes are marked", async ({ page, api }) => {
  const job = await createJob(api, { name: "nightly", run: { shell: "true" }, schedule: NIGHTLY, timezone: "Europe/Berlin" });
  await page.goto(`/jobs/${job.id}`);
  await page.getByRole("tab", { name: "Schedule" }).click();
  await expect(page.getByRole("region", { name: "Next ticks" }).getByRole("listitem")).toHaveCount(10);
  await expect(page.locator(".day-ticks").first()).toBeVisible();
  const odd = page.getByRole("region", { name: "Clock changes and days of rest" });
  await expect(odd).toContainText("02:00 → 03:00");
});

test("dependencies are a graph that leads on", async ({ page, api }) => {
  const load = await createJob(api, { name: "load", run: { shell: "true" } });
  const report = await createJob(api, { name: "report", run: { shell: "true" }, after: [{ job: load.name }] });
  const mail = await createJob(api, { name: "mail", run: { shell: "true" }, after: [{ job: report.name, on: "failed" }] });
  await page.goto(`/jobs/${load.id}?tab=dependencies`);
  const graph = page.getByRole("group", { name: "Dependencies" });
  await expect(graph.getByRole("link")).toHaveCount(3);
  await expect(graph.getByRole("link", { name: mail.name })).toContainText("on failed");
  await graph.getByRole("link", { name: report.name }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(report.name);
});

test("a version is compared field by field, and gone back to", async ({ page, api }) => {
  const job = await createJob(api, { name: "edited", run: { shell: "echo one" } });
  await api.patch(`/api/v1/jobs/${job.id}`, { data: { run: { shell: "echo two" }, timeout: "5m" } });
  await page.goto(`/jobs/${job.id}?tab=versions`);
  const changes = page.getByRole("region", { name: "Version 2" });
  await expect(changes.getByRole("row", { name: /run\.shell/ })).toContainText("echo one");
  await expect(changes.getByRole("row", { name: /run\.shell/ })).toContainText("echo two");
  await page.getByRole("button", { name: /^v1/ }).click();
  await page.getByText("With now").click();
  await page.getByRole("button", { name: "Revert to this" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("row", { name: /timeout/ })).toContainText("5m");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Revert" }).click();
  await expect(page.getByText("that is version 3.")).toBeVisible();
  await expect(page.getByRole("list", { name: "Versions" }).getByRole("listitem").first()).toContainText("Reverted");
});

test("a revert meant for another version is refused, and says why", async ({ page, api, judged }) => {
  judged.expectErrors(/409/);
  const job = await createJob(api, { name: "rival", run: { shell: "echo one" } });
  await api.patch(`/api/v1/jobs/${job.id}`, { data: { timeout: "5m" } });
  await page.goto(`/jobs/${job.id}?tab=versions&version=`);
  await page.getByRole("button", { name: /^v1/ }).click();
  await page.getByRole("button", { name: "Revert to this" }).click();
  await api.patch(`/api/v1/jobs/${job.id}`, { data: { timeout: "6m" } }); // the page does not know yet
  await page.getByRole("dialog").getByRole("button", { name: "Revert" }).click();
  await expect(page.getByRole("dialog").getByRole("alert")).toContainText("The job has changed");
});

test("a job is paused, cloned, and deleted only by who types its name", async ({ page, api }) => {
  const job = await createJob(api, { name: "whole", run: { shell: "true" }, schedule: NIGHTLY });
  await page.goto(`/jobs/${job.id}`);
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText(`${job.name} is paused.`)).toBeVisible();
  await expect(page.getByRole("button", { name: "Resume" })).toBeVisible();
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Clone…" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Clone" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(`${job.name}-copy`);
  await page.getByRole("button", { name: "More" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: "Delete" })).toBeDisabled();
  await dialog.getByRole("textbox").fill(`${job.name}-copy`);
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page).toHaveURL(/\/jobs$/);
  await expect(page.getByText(`${job.name}-copy is deleted.`)).toBeVisible();
});
