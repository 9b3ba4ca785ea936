import { expect, expectAccessible, test } from "./page";

test("a worker is drained and claims again", async ({ page }) => {
  await page.goto("/workers");
  const row = page.getByRole("row").filter({ has: page.getByRole("button", { name: /^Drain: / }) }).first();
  const name = (await row.getByRole("button").getAttribute("aria-label"))!.replace("Drain: ", "");
  const mine = page.getByRole("row").filter({ hasText: name });
  await expect(mine).toContainText("Takes runs");
  await expect(mine.getByRole("meter")).toBeVisible();
  await mine.getByRole("button", { name: `Drain: ${name}` }).click();
  await expect(mine).toContainText("Drained");
  await expect(page.getByText(`${name} claims nothing more`)).toBeVisible();
  await expectAccessible(page);
  await mine.getByRole("button", { name: `Undrain: ${name}` }).click();
  await expect(mine).toContainText("Takes runs");
});
