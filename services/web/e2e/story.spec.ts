import type { APIRequestContext, Page } from "@playwright/test";
import { createJob, expect, test } from "./page";

const field = (page: Page, name: string) => page.getByRole("textbox", { name, exact: true });

async function confirm(page: Page, action: string): Promise<void> {
  await page.getByRole("dialog").getByRole("button", { name: action }).click();
}

/** Write a job in the form, with its next ticks seen before it is saved. Returns its id. */
async function write(page: Page, name: string): Promise<string> {
  await page.goto("/jobs");
  await page.getByRole("link", { name: "New job" }).click();
  await field(page, "Name").fill(name);
  await field(page, "Script").fill("for i in $(seq 1 30); do echo copied part $i; sleep 0.1; done");
  await field(page, "Cron expression").fill("30 2 * * *");
  const ticks = page.getByRole("region", { name: "Next ticks" }).getByRole("row");
  await expect(ticks).toHaveCount(11); // a head, and ten ticks
  await expect(ticks.nth(1)).toContainText("02:30:00");
  await page.getByRole("button", { name: "Create job" }).click();
  await expect(page.getByText(`${name} is created.`)).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(name);
  return new URL(page.url()).pathname.split("/")[2]!;
}

/** Run the job that is shown, and watch its output arrive. */
async function runAndWatch(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Run now" }).click();
  await confirm(page, "Run now");
  await expect(page).toHaveURL(/\/runs\//);
  const output = page.getByRole("log", { name: "Output" });
  await expect(output.getByText("copied part 3", { exact: true })).toBeVisible();
  await expect(output.getByText("copied part 30", { exact: true })).toHaveCount(0); // it is not over yet
  await expect(output.getByText("copied part 30", { exact: true })).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 }).locator("..")).toContainText("Succeeded");
}

async function killAnother(page: Page, api: APIRequestContext): Promise<void> {
  const stuck = await createJob(api, { name: "stuck", run: { shell: "echo begun; sleep 600" } });
  await api.post(`/api/v1/jobs/${stuck.id}/run`);
  await page.goto(`/jobs/${stuck.id}`);
  await page.getByRole("table").getByRole("link").first().click();
  await page.getByRole("button", { name: "Kill" }).click();
  await confirm(page, "Kill");
  await expect(page.getByRole("heading", { level: 1 }).locator("..")).toContainText("Killed");
}

/** Edit the job while somebody else saves it: both are shown, and mine is chosen. It has version 3 then. */
async function editAgainstRival(page: Page, api: APIRequestContext, id: string): Promise<void> {
  await page.goto(`/jobs/${id}/edit`);
  await field(page, "Script").fill("echo mine");
  await api.patch(`/api/v1/jobs/${id}`, { data: { run: { shell: "echo theirs" }, owner: "a rival" } });
  await page.getByRole("button", { name: "Save" }).click();
  const dialog = page.getByRole("dialog", { name: "Somebody else has saved this job" });
  await expect(dialog.getByRole("row", { name: /run\.shell/ })).toContainText("echo theirs");
  await dialog.getByRole("radio", { name: "Mine: run.shell" }).check();
  await dialog.getByRole("button", { name: "Save what is chosen" }).click();
  await expect(page.getByText("is saved as version 3.")).toBeVisible();
}

async function revertToFirst(page: Page, id: string): Promise<void> {
  await page.goto(`/jobs/${id}?tab=versions`);
  await page.getByRole("button", { name: /^v1/ }).click();
  await page.getByRole("button", { name: "Revert to this" }).click();
  await confirm(page, "Revert");
  await expect(page.getByText("that is version 4.")).toBeVisible();
}

/** All of it stands in the audit, newest first, with what each event changed. */
async function findInAudit(page: Page, id: string): Promise<void> {
  await page.goto(`/audit?job_id=${id}`);
  const rows = page.getByRole("row").filter({ has: page.getByRole("button", { name: /^Details/ }) });
  await expect(rows).toHaveCount(5);
  for (const [index, what] of ["Reverted", "Changed", "Changed", "Run requested", "Created"].entries()) {
    await expect(rows.nth(index)).toContainText(what);
  }
  await rows.first().getByRole("button").click();
  const change = page.getByRole("row", { name: /run\.shell/ });
  await expect(change).toContainText("echo mine");
  await expect(change).toContainText("copied part");
}

test("a job from its first line to the audit: written, run, watched, contested, reverted, found", async ({ page, api, judged }) => {
  test.slow();
  judged.expectErrors(/status of (422|409)/); // what is typed is checked, and the rival edit refused
  const id = await write(page, `story-${process.pid}`);
  await runAndWatch(page);
  await killAnother(page, api);
  await editAgainstRival(page, api, id);
  await revertToFirst(page, id);
  await findInAudit(page, id);
});
