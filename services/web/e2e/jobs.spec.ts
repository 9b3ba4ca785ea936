import { createJob, expect, expectAccessible, test } from "./page";

const MARKUP = `<img src=x onerror="document.title='broken'"> </td> "quoted" & 'single'`;

test("jobs are found, filtered and sorted, and the address keeps it", async ({ page, api }) => {
  const tag = `only-${process.pid}`;
  const job = await createJob(api, { name: "hourly", run: { shell: "true" }, schedule: { every: "1h" }, tags: [tag] });
  const soon = await createJob(api, { name: "minutely", run: { shell: "true" }, schedule: { every: "10m" }, tags: [tag] });
  await page.goto("/jobs");
  await page.getByRole("combobox", { name: "Tags" }).fill(tag);
  await page.getByRole("option", { name: new RegExp(tag) }).click();
  await expect(page.getByRole("row")).toHaveCount(3);
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "Next" }).click();
  await expect(page).toHaveURL(new RegExp(`tag=${tag}.*sort=next_tick`));
  await expect(page.getByRole("row").nth(1)).toContainText(soon.name);
  await page.reload();
  await expect(page.getByRole("row").nth(1)).toContainText(soon.name);
  await expect(page.getByRole("row").nth(2)).toContainText(job.name);
  await page.getByRole("searchbox", { name: "Search jobs" }).fill("no such job");
  await expect(page.getByText("No job matches “no such job”")).toBeVisible();
});

test("many jobs are paused at once, and deleted only by who types how many", async ({ page, api }) => {
  const tag = `many-${process.pid}`;
  for (const name of ["a", "b", "c"]) {
    await createJob(api, { name, run: { shell: "true" }, schedule: { every: "1h" }, tags: [tag] });
  }
  await page.goto(`/jobs?tag=${tag}`);
  await page.getByRole("checkbox", { name: "Choose all on this page" }).check();
  const bar = page.getByRole("toolbar", { name: "Chosen jobs" });
  await expect(bar).toContainText("3 jobs chosen");
  await expectAccessible(page);
  await bar.getByRole("button", { name: "Pause" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Pause" }).click();
  await expect(page.getByText("3 jobs paused.")).toBeVisible();
  await expect(page.getByRole("row").getByText("Paused")).toHaveCount(3);

  await page.getByRole("checkbox", { name: "Choose all on this page" }).check();
  await bar.getByRole("button", { name: "Delete" }).click();
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByRole("button", { name: "Delete" })).toBeDisabled();
  await dialog.getByRole("textbox").fill("delete 3");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("No job matches these filters")).toBeVisible();
});

test("stored text stays text: descriptions and owners full of markup", async ({ page, api }) => {
  const tag = `markup-${process.pid}`;
  const job = await createJob(api, { name: "hostile", run: { shell: MARKUP }, description: MARKUP, owner: MARKUP, tags: [tag] });
  for (const path of [`/jobs?tag=${tag}`, `/jobs/${job.id}`]) {
    await page.goto(path);
    await expect(page.getByText(MARKUP).first()).toBeVisible();
    await expect(page.locator("main img")).toHaveCount(0);
    expect(await page.title()).not.toBe("broken");
  }
});

test("the list is live: a run that ends elsewhere appears without reload", async ({ page, api }) => {
  const tag = `live-${process.pid}`;
  const job = await createJob(api, { name: "live", run: { shell: "exit 3" }, tags: [tag] });
  await page.goto(`/jobs?tag=${tag}`);
  await expect(page.getByText("Never ran")).toBeVisible();
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  await api.post(`/api/v1/jobs/${job.id}/run`);
  await expect(page.getByRole("row").getByRole("link", { name: /Failed/ })).toBeVisible();
  await expect(page.getByRole("img", { name: "Last run: 1 failed" })).toBeVisible();
});
