import type { Page } from "@playwright/test";
import { createJob, expect, expectAccessible, test } from "./page";

// The browser itself reports each answer that is a refusal, and checking what is typed is answered with refusals.
test.beforeEach(({ judged }) => judged.expectErrors(/status of (422|409)/));

const field = (page: Page, name: string) => page.getByRole("textbox", { name, exact: true });
const ticks = (page: Page) => page.getByRole("region", { name: "Next ticks" }).getByRole("row");

test("a job is written in the form, which the server checks as one types", async ({ page, api }) => {
  const name = `written-${process.pid}-${Date.now()}`;
  await page.goto("/jobs");
  await page.getByRole("link", { name: "New job" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("New job");
  await field(page, "Name").fill("not a name");
  await expect(page.getByText("1 to 128 letters, digits, dots")).toBeVisible();
  await field(page, "Name").fill(name);
  await expect(page.getByText("1 to 128 letters, digits, dots")).toHaveCount(0);

  await field(page, "Cron expression").fill("61 2 * * *");
  await expect(field(page, "Cron expression")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByText("One problem to mend")).toBeVisible();
  await expectAccessible(page);
  await field(page, "Cron expression").fill("30 2 * * *");
  await page.getByRole("combobox", { name: "Time zone" }).fill("America/New_York");
  await expect(page.getByRole("columnheader", { name: "America/New_York" })).toBeVisible();
  await expect(page.getByRole("columnheader", { name: "Yours, Europe/Berlin" })).toBeVisible();
  await expect(ticks(page)).toHaveCount(11);
  await expect(ticks(page).nth(10).getByRole("cell").first()).toContainText("02:30:00");
  await expect(ticks(page).nth(10).getByRole("cell").nth(1)).toContainText(/0[78]:30:00/);
  await expect(page.locator(".edit-words").first()).toContainText(/02:30/);

  await page.getByRole("button", { name: "Add a variable" }).click();
  await page.getByLabel("Name of variable 1").fill("TARGET");
  await page.getByLabel("Value of variable 1").fill("/var/backups");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByText("is required")).toBeVisible(); // there is nothing to run yet
  await field(page, "Script").fill("echo hello");
  await page.keyboard.press("Control+Enter");
  await expect(page.getByText(`${name} is created.`)).toBeVisible();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(name);

  const { jobs } = (await (await api.get(`/api/v1/jobs?q=${name}`)).json()) as { jobs: { spec: unknown }[] };
  expect(jobs[0]!.spec).toEqual({
    name, run: { shell: "echo hello" }, env: { TARGET: "/var/backups" }, schedule: { cron: "30 2 * * *" }, timezone: "America/New_York",
  });
});

test("the same job is edited as YAML, and what would change is told before", async ({ page, api }) => {
  const job = await createJob(api, { name: "as-yaml", run: { shell: "echo one" }, schedule: { every: "1h" } });
  await page.goto(`/jobs/${job.id}`);
  await page.getByRole("link", { name: "Edit" }).click();
  await expect(page.getByText("No field changed.")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
  await page.getByText("YAML", { exact: true }).click();
  const yaml = field(page, "Definition");
  await expect(yaml).toHaveValue(`name: ${job.name}\nrun:\n  shell: echo one\nschedule:\n  every: 1h\n`);

  await yaml.fill(`name: ${job.name}\nrun:\n  shell: "echo two\n`);
  await expect(page.getByText("The YAML cannot be read yet")).toBeVisible();
  await expect(page.getByRole("button", { name: "Save" })).toBeDisabled();
  await yaml.fill(`name: ${job.name}\nrun:\n  shell: echo two\nshedule:\n  every: 2h\n`);
  await expect(page.locator("#edit-yaml-problems")).toContainText("line 4");
  await expect(page.locator("#edit-yaml-problems")).toContainText("did you mean schedule?");
  await expectAccessible(page);
  await yaml.fill(`# slower\nname: ${job.name}\nrun:\n  shell: echo two\nschedule:\n  every: 2h\n`);
  await expect(page.locator("#edit-yaml-problems").getByRole("listitem")).toHaveCount(0);
  const changes = page.getByRole("region", { name: "What saving changes" });
  await expect(changes.getByRole("row", { name: /^schedule\.every/ })).toContainText("1h2h");
  await expect(changes.getByRole("row", { name: /^run\.shell/ })).toContainText("echo oneecho two");

  await page.getByText("Form", { exact: true }).click();
  await expect(field(page, "Every")).toHaveValue("2h");
  await field(page, "A run takes longer than").fill("5m");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText(`${job.name} is saved as version 2.`)).toBeVisible();
  const { spec } = (await (await api.get(`/api/v1/jobs/${job.id}`)).json()) as { spec: unknown };
  expect(spec).toEqual({ name: job.name, run: { shell: "echo two" }, schedule: { every: "2h" }, timeout: "5m" });
});

test("of a rival edit both are shown, and what is chosen is saved", async ({ page, api }) => {
  const job = await createJob(api, { name: "contested", run: { shell: "echo one" }, schedule: { every: "1h" }, timeout: "1m" });
  await page.goto(`/jobs/${job.id}/edit`);
  await field(page, "Script").fill("echo mine");
  await field(page, "Owner").fill("ada");
  await api.patch(`/api/v1/jobs/${job.id}`, { data: { run: { shell: "echo theirs" }, timeout: "9m" } });
  await page.getByRole("button", { name: "Save" }).click();

  const dialog = page.getByRole("dialog", { name: "Somebody else has saved this job" });
  const shell = dialog.getByRole("row", { name: /run\.shell/ });
  await expect(shell).toContainText("echo theirs");
  await expect(shell).toContainText("echo mine");
  await expect(shell).toContainText("both changed it");
  await expect(dialog.getByRole("radio", { name: "Theirs: timeout" })).toBeChecked();
  await expect(dialog.getByRole("radio", { name: "Mine: owner" })).toBeChecked();
  await expect(dialog.getByRole("button", { name: "Save what is chosen" })).toBeDisabled();
  await expectAccessible(page);
  await dialog.getByRole("radio", { name: "Mine: run.shell" }).check();
  await dialog.getByRole("button", { name: "Save what is chosen" }).click();
  await expect(page.getByText(`${job.name} is saved as version 3.`)).toBeVisible();
  const { spec } = (await (await api.get(`/api/v1/jobs/${job.id}`)).json()) as { spec: unknown };
  expect(spec).toEqual({ name: job.name, run: { shell: "echo mine" }, schedule: { every: "1h" }, timeout: "9m", owner: "ada" });
});

test("a newer version is told of while one still types, and a page without changes follows it", async ({ page, api }) => {
  const job = await createJob(api, { name: "moving", run: { shell: "echo one" } });
  await page.goto(`/jobs/${job.id}/edit`);
  await api.patch(`/api/v1/jobs/${job.id}`, { data: { run: { shell: "echo two" } } });
  await expect(field(page, "Script")).toHaveValue("echo two", { timeout: 15_000 });
  await field(page, "Script").fill("echo mine");
  await api.patch(`/api/v1/jobs/${job.id}`, { data: { owner: "ada" } });
  await expect(page.getByText("has saved version 3 meanwhile")).toBeVisible({ timeout: 15_000 });
  await expect(field(page, "Script")).toHaveValue("echo mine");
  await page.getByRole("button", { name: "Compare" }).click();
  await expect(page.getByRole("radio", { name: "Theirs: owner" })).toBeChecked();
  await page.getByRole("button", { name: "Save what is chosen" }).click();
  await expect(page.getByText(`${job.name} is saved as version 4.`)).toBeVisible();
});

test("what is refused at the save is told at its field; what was typed is not lost by a click", async ({ page, api }) => {
  const job = await createJob(api, { name: "original", run: { argv: ["date"] }, tags: ["a"] });
  await page.goto(`/jobs/new?from=${job.id}`);
  await expect(field(page, "Name")).toHaveValue(`${job.name}-copy`);
  await expect(page.getByRole("region", { name: "Differs from the original in" })).toContainText("-copy");
  await page.getByRole("button", { name: "Add a job" }).click();
  await page.getByRole("combobox", { name: "Job 1", exact: true }).fill("no-such-job");
  await page.getByRole("button", { name: "Create job" }).click();
  const after = page.getByRole("group", { name: "After other jobs" });
  await expect(after.getByRole("alert")).toContainText("there is no such job");
  await after.getByRole("button", { name: "Remove job 1" }).click();
  await expect(after.getByRole("alert")).toHaveCount(0);
  await field(page, "Name").fill(job.name);
  await page.getByRole("button", { name: "Create job" }).click();
  await expect(field(page, "Name")).toHaveAttribute("aria-invalid", "true");
  await expect(field(page, "Name")).toBeFocused();

  await page.getByRole("link", { name: "Runs" }).click();
  const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
  await dialog.getByRole("button", { name: "Stay" }).click();
  await expect(field(page, "Name")).toHaveValue(job.name);
  await page.getByRole("link", { name: "Runs" }).click();
  await dialog.getByRole("button", { name: "Leave" }).click();
  await expect(page).toHaveURL(/\/runs$/);
});

test("the browser's Back asks too before what was typed is lost", async ({ page }) => {
  await page.goto("/jobs");
  await page.getByRole("link", { name: "New job" }).click();
  await field(page, "Name").fill("typed");
  const dialog = page.getByRole("dialog", { name: "Leave without saving?" });
  const back = (): Promise<void> => page.evaluate(() => window.history.back());
  await back();
  await dialog.getByRole("button", { name: "Stay" }).click();
  await expect(page).toHaveURL(/\/jobs\/new$/);
  await expect(field(page, "Name")).toHaveValue("typed");
  await back();
  await dialog.getByRole("button", { name: "Leave" }).click();
  await expect(page).toHaveURL(/\/jobs$/);
});
