import type { APIRequestContext, Page } from "@playwright/test";
import { BIDI, ESCAPES, HTML, WORD, watch } from "./hostile";
import { createJob, expect, test } from "./page";

// Earlier systems of this kind had stored scripts in exactly these places: names, labels, errors, output.
const PROBE = `<img class=planted src=/planted.png onerror="window.planted=1">`; // the beginning of HTML
const VIEWS = [
  { width: 1360, height: 900 },
  { width: 390, height: 844 },
];

/** A job with hostile text wherever text is free; its program does not exist, so that the error quotes it. */
function hostile(tag: string) {
  return {
    name: "w".repeat(100), // with what createJob adds, as long as a name may be
    namespace: "n".repeat(128),
    tags: [tag, "t".repeat(128)],
    description: `${HTML} ${BIDI} ${ESCAPES}`,
    owner: `${HTML} ${BIDI}`,
    run: { argv: [HTML, BIDI, WORD] },
    env: { "<b class>planted</b><script>": HTML, BIDI, WORD },
    schedule: { every: "1h" },
  };
}

async function requestRun(api: APIRequestContext, jobId: string): Promise<string> {
  const asked = await api.post(`/api/v1/jobs/${jobId}/run`);
  expect(asked.status(), await asked.text()).toBe(202);
  return ((await asked.json()) as { execution_id: string }).execution_id;
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
}

for (const view of VIEWS) {
  test(`stored text stays text on every page, ${view.width} wide`, async ({ page, api }) => {
    test.slow();
    await page.setViewportSize(view);
    const { expectOnlyText } = watch(page);
    const tag = `hostile-${process.pid}-${view.width}`;
    const spec = hostile(tag);
    const job = await createJob(api, spec);
    const changed = await api.put(`/api/v1/jobs/${job.id}`, {
      data: { ...spec, name: job.name, description: `${HTML}${WORD.slice(0, 3000)}`, env: { ...spec.env, MORE: `${HTML}${WORD}` } },
      headers: { "If-Match": '"1"' },
    });
    expect(changed.status(), await changed.text()).toBe(200);
    const run = await requestRun(api, job.id);

    await open(page, `/runs/${run}`);
    await expect(page.getByRole("heading", { level: 1 }).locator("..")).toContainText("Failed");
    await expectOnlyText(PROBE); // in the error, which names the program
    await open(page, `/jobs?tag=${tag}`);
    await expectOnlyText(PROBE);
    await open(page, `/jobs/${job.id}`);
    await expectOnlyText(PROBE);
    for (const tab of ["schedule", "dependencies", "versions", "definition"]) {
      await open(page, `/jobs/${job.id}?tab=${tab}`);
      await expectOnlyText(job.name);
    }
    await open(page, `/jobs/${job.id}/edit`);
    await expectOnlyText(BIDI);
    await open(page, `/runs?job=${job.id}`);
    await expectOnlyText(job.name);
    await open(page, `/timeline?q=${job.name}`);
    await expectOnlyText(job.name);
    await open(page, "/");
    await expectOnlyText(job.name);
    await open(page, `/audit/ledger?job=${job.id}`);
    await expectOnlyText();
    await open(page, "/audit/then");
    await expectOnlyText(job.name);
    await open(page, `/audit?job_id=${job.id}`);
    await page.getByRole("button", { name: /^Details/ }).last().click();
    await expectOnlyText();
    await page.getByRole("row", { name: /Changed|Updated/ }).getByRole("button", { name: /^Details/ }).click();
    await expectOnlyText(PROBE);
    await api.delete(`/api/v1/jobs/${job.id}`);
  });
}

test("output stays text: markup, escapes and reordering do nothing but be seen", async ({ page, api }) => {
  const { expectOnlyText } = watch(page);
  const text = `${WORD}\n${ESCAPES}\n${BIDI}\n${HTML}\n\x1b]unfinished`;
  const job = await createJob(api, { name: "writes", run: { shell: `printf %s "$TEXT"; printf %s "$TEXT" >&2` }, env: { TEXT: text } });
  const run = await requestRun(api, job.id);
  for (const view of VIEWS) {
    await page.setViewportSize(view);
    await open(page, `/runs/${run}`);
    await expect(page.getByText("Complete")).toBeVisible();
    const output = page.getByRole("log", { name: "Output" });
    await expectOnlyText(HTML);
    await expect(output.getByText("linked").first()).toBeVisible();
    await expect(output.locator("a")).toHaveCount(0);
    await expect(output.locator(".ansi-fg-1").first()).toHaveText("red");
    expect(await output.innerText()).not.toMatch(/[\x1b\x9b\u202a-\u202e\u2066-\u2069]/);
    await page.getByRole("searchbox", { name: "Search output" }).fill("<img class=planted");
    await expect(output.locator("mark").first()).toBeVisible();
    await expectOnlyText(HTML);
    await page.getByRole("button", { name: "Wrap" }).click();
    await expectOnlyText(HTML);
  }
});

test("what an address says stays text too", async ({ page, judged }) => {
  judged.expectErrors(/404|400|422/); // there is no such job
  const { expectOnlyText } = watch(page);
  const planted = encodeURIComponent(HTML);
  for (const path of [`/jobs?q=${planted}`, `/jobs?tag=${planted}`, `/jobs/${planted}`, `/runs/${planted}`, `/runs?job=${planted}`, `/timeline?q=${planted}`, `/audit?job=${planted}`, `/audit/ledger?job=${planted}`, `/audit/then?at=${planted}`, `/${planted}`]) {
    await page.goto(path);
    await expect(page.locator("main")).not.toBeEmpty();
    await expect(page.getByRole("status", { name: "Loading" })).toHaveCount(0);
    await expectOnlyText();
  }
});
