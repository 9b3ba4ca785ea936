import { createJob, expect, expectAccessible, test } from "./page";

test("the site begins at its first page, and the keyboard leads on", async ({ page }) => {
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await expect(page).toHaveURL(/\/runs$/);
  await expect(page).toHaveTitle("Runs · dcron");
  await page.keyboard.press("g");
  await page.keyboard.press("j");
  await expect(page).toHaveURL(/\/jobs$/);
  const search = page.getByRole("searchbox", { name: "Search jobs" });
  await expect(search).toBeVisible();
  await page.keyboard.press("/");
  await expect(search).toBeFocused();
  await page.keyboard.press("Escape");
  await page.locator("main").focus();
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  await expectAccessible(page);
});

test("the theme is kept", async ({ page }) => {
  await page.goto("/jobs");
  const theme = page.getByRole("button", { name: /^Theme/ });
  await theme.click();
  await theme.click();
  await expect(theme).toHaveAccessibleName("Theme: dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", "dark");
});

test("every page can be used by everybody", async ({ page, api }) => {
  test.slow(); // each page is looked at in both themes
  const job = await createJob(api, { name: "seen", run: { shell: "echo hello" }, tags: ["a"], description: "Says it." });
  const asked = await api.post(`/api/v1/jobs/${job.id}/run`);
  const { execution_id: run } = (await asked.json()) as { execution_id: string };
  for (const path of ["/", "/jobs", `/jobs/${job.id}`, "/jobs/new", `/jobs/${job.id}/edit`, `/jobs/new?from=${job.id}`, "/runs", `/runs/${run}`, "/timeline", "/workers", "/audit", "/audit/then", `/audit/ledger?job=${job.id}`, "/audit/proof", "/account", "/secrets", "/users", "/nowhere"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    await expectAccessible(page);
  }
});

