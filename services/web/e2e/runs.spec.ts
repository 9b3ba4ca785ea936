import { createJob, expect, expectAccessible, test } from "./page";

test("runs are found by their status and by what they wrote, and the address keeps it", async ({ page, api }) => {
  const word = `needle-${process.pid}`;
  const good = await createJob(api, { name: "says", run: { shell: `echo ${word}` } });
  const bad = await createJob(api, { name: "fails", run: { shell: `echo ${word} >&2; exit 3` } });
  for (const { id } of [good, bad]) await api.post(`/api/v1/jobs/${id}/run`);
  await page.goto("/runs");
  await page.getByRole("searchbox", { name: "Search in the output" }).fill(word);
  await expect(page).toHaveURL(new RegExp(`text=${word}`)); // typed text counts a moment later
  await expect(page.getByRole("row", { name: new RegExp(good.name) })).toContainText("Succeeded");
  await expect(page.getByRole("row", { name: new RegExp(bad.name) })).toContainText("Failed");
  await page.getByRole("combobox", { name: "Status" }).click();
  await page.getByRole("option", { name: "Failed" }).click();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("row")).toHaveCount(2);
  await expect(page).toHaveURL(new RegExp(`text=${word}&status=failed`));
  await page.reload();
  await expect(page.getByRole("row")).toHaveCount(2);
  await expectAccessible(page);
  await page.getByRole("row", { name: new RegExp(bad.name) }).getByRole("link").first().click();
  await expect(page.getByRole("log", { name: "Output" })).toContainText(word);
});
