import type { Page } from "@playwright/test";
import { become, createJob, createUser, expect, expectAccessible, loginLink, test } from "./page";

const PASSWORD = "correct horse battery staple";

async function logIn(page: Page, user: string, password: string): Promise<void> {
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Log in" }).click();
}

test("G11: without a login there is the login page, and after it what was asked for", async ({ page, api, judged }) => {
  judged.expectErrors(/401|403|429/);
  const user = await createUser(api, "typed", { "*": "viewer" }, PASSWORD);
  await page.context().clearCookies();
  await page.goto("/jobs?q=something");
  await expect(page).toHaveURL(/\/login\?next=/);
  await expectAccessible(page);
  await logIn(page, user, "not the password");
  await expect(page.getByRole("alert")).toBeVisible();
  await expectAccessible(page);
  await expect(page).toHaveURL(/\/login/);
  await logIn(page, user, PASSWORD);
  await expect(page).toHaveURL(/\/jobs\?q=something$/);
  await expect(page.getByRole("button", { name: `You are ${user}` })).toBeVisible();
});

test("G11: a login link works once", async ({ page, api, judged }) => {
  judged.expectErrors(/40[0-9]/);
  const user = await createUser(api, "linked", { "*": "viewer" });
  const link = await loginLink(api, user);
  await page.context().clearCookies();
  await page.goto(link);
  await expect(page.getByRole("button", { name: `You are ${user}` })).toBeVisible();
  await expect(page).not.toHaveURL(/link=/);
  await page.context().clearCookies();
  await page.goto(link);
  await expect(page.getByRole("button", { name: "Log in" })).toBeVisible();
  await page.goto("/jobs");
  await expect(page).toHaveURL(/\/login/);
});

test("G11: log out ends the session, here and for whoever kept the cookie", async ({ page, api, judged }) => {
  judged.expectErrors(/401|WebSocket/);
  await become(page, api, await createUser(api, "leaves", { "*": "viewer" }));
  const cookies = await page.context().cookies();
  await page.goto("/account");
  await page.getByRole("button", { name: /^You are/ }).click();
  await expectAccessible(page);
  await page.getByRole("menuitem", { name: "Log out" }).click();
  await expect(page).toHaveURL(/\/login/);
  await page.context().addCookies(cookies);
  await page.goto("/jobs");
  await expect(page).toHaveURL(/\/login/);
});

test("G11: a session that ends elsewhere is told; what is typed stays, and is saved after a new login", async ({ page, api, judged, context }) => {
  judged.expectErrors(/401|403|WebSocket/);
  const user = await createUser(api, "writes", { "*": "editor" });
  await become(page, api, user);
  const name = `typed-${process.pid}`;
  await page.goto("/jobs/new");
  await page.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await page.getByRole("textbox", { name: "Script", exact: true }).fill("echo kept");
  expect((await api.delete(`/api/v1/users/${user}/sessions`)).status()).toBe(204);
  await page.getByRole("button", { name: "Create job" }).click();
  await expect(page.getByText(/^Your session is over/)).toBeVisible();
  await expectAccessible(page);
  const link = page.getByRole("link", { name: "Log in again" });
  await expect(link).toHaveAttribute("href", "/login?next=%2Fjobs%2Fnew");
  await expect(link).toHaveAttribute("target", "_blank");

  const other = await context.newPage();
  await other.goto(await loginLink(api, user));
  await expect(other.getByRole("button", { name: `You are ${user}` })).toBeVisible();
  await other.close();
  await expect(page.getByText(/^Your session is over/)).toBeHidden({ timeout: 15_000 });
  await expect(page.getByRole("textbox", { name: "Script", exact: true })).toHaveValue("echo kept");
  await page.getByRole("button", { name: "Create job" }).click();
  await expect(page.getByRole("heading", { level: 1, name })).toBeVisible();
});

test("G11: the log-ingester's cookie is renewed when it is not taken any more, without a word", async ({ page, api, judged, context }) => {
  judged.expectErrors(/401/);
  const job = await createJob(api, { name: "renewed", run: { shell: "true" } });
  await page.goto(`/jobs/${job.id}`);
  await expect(page.getByText("Live", { exact: true })).toBeVisible();
  const mine = (await context.cookies()).filter(({ name }) => name !== "dcron_access");
  await context.clearCookies();
  await context.addCookies(mine);
  await page.goto(`/runs?job=${job.id}`);
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
  await expect(page.getByRole("alert")).toHaveCount(0);
  await context.clearCookies();
  await context.addCookies(mine); // while the page is open, and takes the cookie for fresh
  await page.getByRole("searchbox").fill("nothing");
  await expect.poll(async () => (await context.cookies()).some(({ name }) => name === "dcron_access")).toBe(true);
  await expect(page.getByText(/^Your session is over/)).toHaveCount(0);
  await expect(page.getByRole("alert")).toHaveCount(0);
});

test("G11: a viewer sees no commands, on any page", async ({ page, api, judged }) => {
  judged.expectErrors(/403/);
  const job = await createJob(api, { name: "watched", run: { shell: "sleep 60" }, schedule: { every: "1h" } });
  const asked = await api.post(`/api/v1/jobs/${job.id}/run`);
  const { execution_id: run } = (await asked.json()) as { execution_id: string };
  await become(page, api, await createUser(api, "watches", { default: "viewer" }));
  await page.goto(`/jobs?q=${job.name}`);
  await expect(page.getByRole("link", { name: job.name })).toBeVisible();
  for (const path of [`/jobs?q=${job.name}`, `/jobs/${job.id}`, `/jobs/${job.id}?tab=versions`, `/runs/${run}`, "/workers", "/secrets"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    const command = page.getByRole("main").getByRole("button", { name: /^(Run now|Pause|Resume|Edit|More|Delete|Kill|Drain|Undrain|Revert|New|Replace)/ });
    await expect(command).toHaveCount(0);
    await expect(page.getByRole("main").getByRole("link", { name: /^(New job|Edit)/ })).toHaveCount(0);
  }
  await page.goto(`/jobs/${job.id}/edit`);
  await expect(page.getByText("This needs the role editor in the namespace default")).toBeVisible();
  await page.goto("/users");
  await expect(page.getByText("This needs the role admin")).toBeVisible();
  await expectAccessible(page);
  await page.getByRole("button", { name: /^You are/ }).click();
  await expect(page.getByRole("menuitem", { name: "Users" })).toHaveCount(0);
  await api.post(`/api/v1/jobs/${job.id}/executions/${run}/kill`);
});

test("G11: what is hidden from a viewer is refused by the services as well, and the page shows it in their words", async ({ page, api, judged }) => {
  judged.expectErrors(/403/);
  const job = await createJob(api, { name: "kept", run: { shell: "true" }, schedule: { every: "1h" } });
  const user = await createUser(api, "was-operator", { default: "operator" });
  await become(page, api, user);
  await page.goto(`/jobs/${job.id}`);
  await expect(page.getByRole("button", { name: "Edit" })).toHaveCount(0);
  await expect(page.getByRole("button", { name: "Pause" })).toBeVisible();
  await api.put(`/api/v1/users/${user}/grants`, { data: { grants: { default: "viewer" } } });
  await page.getByRole("button", { name: "Pause" }).click();
  await expect(page.locator(".notice")).toContainText("operator");
  await expect(page.getByRole("button", { name: "Pause" })).toHaveCount(0); // the roles were asked for anew
});
