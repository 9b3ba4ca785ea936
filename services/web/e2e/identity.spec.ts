import { HTML, watch } from "./hostile";
import { become, createJob, createUser, expect, expectAccessible, loginLink, test } from "./page";

test("G11: a token is shown once, works as long as it stands, and no longer", async ({ page, api, playwright, baseURL }) => {
  await become(page, api, await createUser(api, "tokens", { default: "editor", other: "viewer" }));
  await page.goto("/account");
  await expect(page.getByText("editor in default")).toBeVisible();
  await page.getByRole("button", { name: "New token" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Name" }).fill("backup box");
  await dialog.getByText("Only some of it").click();
  await dialog.getByRole("button", { name: "Add a role" }).click();
  await dialog.getByRole("combobox", { name: "Namespace 1" }).fill("default");
  await expect(dialog.getByRole("combobox", { name: "Role 1" }).getByRole("option", { name: /admin/ })).toHaveCount(0);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Make the token" }).click();
  const token = await dialog.getByRole("textbox", { name: "Token" }).inputValue();
  expect(token).toMatch(/^dcron_[\w-]{43}$/);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "I have it" }).click();
  const row = page.getByRole("row", { name: /backup box/ });
  await expect(row).toContainText("viewer in default");
  await page.reload();
  await expect(row).toBeVisible();
  expect(await page.content()).not.toContain(token);

  const machine = await playwright.request.newContext({ baseURL: baseURL!, extraHTTPHeaders: { Authorization: `Bearer ${token}` }, storageState: { cookies: [], origins: [] } });
  expect((await machine.get("/api/v1/jobs")).status()).toBe(200);
  await row.getByRole("button", { name: "Revoke: backup box" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click();
  await expect(page.getByText("The token backup box is revoked.")).toBeVisible();
  expect((await machine.get("/api/v1/jobs")).status()).toBe(401);
  await machine.dispose();
});

test("G11: a secret is set, replaced and deleted, and its value is nowhere to be seen", async ({ page, api, judged }) => {
  judged.expectErrors(/404/);
  const namespace = `secrets-${process.pid}`;
  const values = ["hunter2-first", "hunter2-second"];
  const seen: string[] = [];
  page.on("response", async (response) => {
    if (response.url().includes("/api/")) seen.push(await response.text().catch(() => ""));
  });
  await become(page, api, await createUser(api, "keeps", { [namespace]: "editor" }));
  await page.goto("/secrets");
  await expect(page.getByText("No secrets yet")).toBeVisible();
  await page.getByRole("button", { name: "New secret" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("combobox", { name: "Namespace" }).fill(namespace);
  await dialog.getByRole("textbox", { name: "Name" }).fill("PASSWORD");
  await dialog.getByLabel(/^Value/).fill(values[0]!);
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Keep it" }).click();
  await expect(page.getByText("${secret:PASSWORD}")).toBeVisible();
  await expectAccessible(page);

  await page.getByRole("button", { name: "Replace the value: PASSWORD" }).click();
  await expect(dialog.getByLabel(/^Value/)).toHaveValue("");
  await dialog.getByText("It has several lines").click();
  await dialog.getByLabel(/^Value/).fill(`${values[1]}\nand more`);
  await dialog.getByRole("button", { name: "Replace" }).click();
  await expect(page.getByText("PASSWORD has a new value")).toBeVisible();
  for (const path of ["/secrets", "/audit", "/jobs/new"]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    for (const value of values) expect(await page.content()).not.toContain(value);
  }
  await page.getByRole("button", { name: "Add a variable" }).click();
  await expect(page.locator(`option[value="\${secret:PASSWORD}"]`)).toHaveCount(1);

  await page.goto("/secrets");
  await page.getByRole("button", { name: "Delete: PASSWORD" }).click();
  await dialog.getByRole("textbox").fill("PASSWORD");
  await dialog.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("No secrets yet")).toBeVisible();
  for (const value of values) expect(seen.join("\n")).not.toContain(value);
});

test("G11: an administrator adds a user, who gets in by a one-time link; roles change, and are taken away", async ({ page, browser, baseURL }) => {
  const name = `added-${process.pid}`;
  await page.goto("/users");
  await page.getByRole("button", { name: "New user" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("textbox", { name: "Name", exact: true }).fill(name);
  await dialog.getByRole("textbox", { name: "Full name" }).fill("Added Lovelace");
  await dialog.getByRole("button", { name: "Add a role" }).click();
  await dialog.getByRole("combobox", { name: "Namespace 1" }).fill("default");
  await dialog.getByRole("combobox", { name: "Role 1" }).selectOption("viewer");
  await expectAccessible(page);
  await dialog.getByRole("button", { name: "Add the user" }).click();
  await dialog.getByRole("button", { name: "Make the link" }).click();
  const link = new URL(await dialog.getByRole("textbox", { name: "Link" }).inputValue());
  await dialog.getByRole("button", { name: "I have it" }).click();
  const row = page.getByRole("row", { name: new RegExp(name) });
  await expect(row).toContainText("viewer in default");
  await expectAccessible(page);

  const theirs = await browser.newContext({ baseURL: baseURL!, storageState: { cookies: [], origins: [] } });
  const other = await theirs.newPage();
  await other.goto(link.pathname + link.search);
  await expect(other.getByRole("button", { name: "You are Added Lovelace" })).toBeVisible();

  const command = async (what: string): Promise<void> => {
    await row.getByRole("button", { name: `Commands for ${name}` }).click();
    await page.getByRole("menuitem", { name: what }).click();
  };
  await command("Roles…");
  await dialog.getByRole("combobox", { name: "Role 1" }).selectOption("operator");
  await dialog.getByRole("button", { name: "Save the roles" }).click();
  await expect(row).toContainText("operator in default");
  await command("Tokens…");
  await expect(dialog).toContainText("None.");
  await page.keyboard.press("Escape");
  await command("Disable…");
  await dialog.getByRole("button", { name: "Disable" }).click();
  await expect(row).toContainText("Disabled");
  await other.goto("/jobs");
  await expect(other).toHaveURL(/\/login/);
  await theirs.close();
  await command("Enable…");
  await dialog.getByRole("button", { name: "Enable" }).click();
  await expect(row).toContainText("May log in");
  await command("Remove…");
  await expect(dialog.getByRole("button", { name: "Remove" })).toBeDisabled();
  await dialog.getByRole("textbox").fill(name);
  await dialog.getByRole("button", { name: "Remove" }).click();
  await expect(row).toHaveCount(0);
});

test("a password is set by who came by link, and logs in", async ({ page, api }) => {
  const user = await createUser(api, "sets", { "*": "viewer" });
  await become(page, api, user);
  await page.goto("/account");
  await page.getByRole("textbox", { name: "New password", exact: true }).fill("a long enough password");
  await page.getByRole("textbox", { name: "New password again" }).fill("a long enough passwort");
  await expect(page.getByText("Not the same as above")).toBeVisible();
  await page.getByRole("textbox", { name: "New password again" }).fill("a long enough password");
  await page.getByRole("button", { name: "Set the password" }).click();
  await expect(page.getByText(/^Your password is changed/)).toBeVisible();
  await page.context().clearCookies();
  await page.goto("/login");
  await page.getByLabel("User").fill(user);
  await page.getByLabel("Password").fill("a long enough password");
  await page.getByRole("button", { name: "Log in" }).click();
  await expect(page.getByRole("button", { name: `You are ${user}` })).toBeVisible();
});

test("stored text stays text: names of users, tokens and secrets", async ({ page, api }) => {
  const { expectOnlyText } = watch(page);
  const name = `named-${process.pid}`;
  const answer = await api.post("/api/v1/users", { data: { name, display_name: HTML.slice(0, 120), grants: { "*": "admin" } } });
  expect(answer.status(), await answer.text()).toBe(201);
  await page.context().clearCookies();
  await page.goto(await loginLink(api, name));
  for (const view of [{ width: 1360, height: 900 }, { width: 390, height: 844 }]) {
    await page.setViewportSize(view);
    for (const path of ["/account", "/users", "/secrets"]) {
      await page.goto(path);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
      await expectOnlyText();
    }
  }
  const job = await createJob(api, { name: "by-hostile", run: { shell: "true" } });
  await page.goto(`/audit?job_id=${job.id}`);
  await expectOnlyText();
});

test("G11: an administrator of a namespace grants there, and sees nothing of elsewhere", async ({ page, api }) => {
  const namespace = `team-${process.pid}`;
  const member = await createUser(api, "member", { elsewhere: "editor" });
  await become(page, api, await createUser(api, "leads", { [namespace]: "admin" }));
  await page.getByRole("button", { name: /^You are/ }).click();
  await page.getByRole("menuitem", { name: "Users" }).click();
  const row = page.getByRole("row", { name: new RegExp(member) });
  await expect(row).toContainText("none");
  await expect(page.getByRole("button", { name: "New user" })).toHaveCount(0);
  await row.getByRole("button", { name: `Commands for ${member}` }).click();
  await expect(page.getByRole("menuitem")).toHaveText(["Roles…"]);
  await page.getByRole("menuitem", { name: "Roles…" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByRole("button", { name: "Add a role" }).click();
  await dialog.getByRole("combobox", { name: "Namespace 1" }).fill(namespace);
  await dialog.getByRole("combobox", { name: "Role 1" }).selectOption("operator");
  await dialog.getByRole("button", { name: "Save the roles" }).click();
  await expect(row).toContainText(`operator in ${namespace}`);
  const known = (await (await api.get(`/api/v1/users/${member}`)).json()) as { grants: object };
  expect(known.grants).toEqual({ elsewhere: "editor", [namespace]: "operator" });
});
