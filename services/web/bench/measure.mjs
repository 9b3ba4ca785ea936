/** Measures the page in Chromium: `node bench/measure.mjs first|jobs|output [RUN]`; prints JSON for benchmarks/page.py. */
import { freshPage, interactiveAt, launch, scrolled, typed } from "./browser.mjs";

const ROUNDS = 5;
const ROW = ".jobs-table tbody tr";
const KEYS = "tenant-00042 books";
const MB = 1e6;

/** The first load, and the same bytes fetched by a page without scripts of its own. */
async function first(browser) {
  const rounds = [];
  for (let round = 0; round < ROUNDS; round++) {
    const page = await freshPage(browser);
    await page.goto("/jobs", { waitUntil: "commit" });
    const times = await interactiveAt(page, ROW);
    const loaded = await page.evaluate(() =>
      [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].map(
        ({ name, initiatorType, encodedBodySize }) => ({ name, kind: initiatorType, bytes: encodedBodySize }),
      ),
    );
    await page.context().close();
    rounds.push({ ...times, loaded, bare: await bareLoad(browser, loaded.map(({ name }) => name)) });
  }
  return rounds;
}

async function bareLoad(browser, urls) {
  const page = await freshPage(browser);
  await page.goto("/favicon.svg");
  const took = await page.evaluate(async (all) => {
    const began = performance.now();
    await Promise.all(all.map(async (url) => (await fetch(url, { cache: "no-store" })).arrayBuffer()));
    return performance.now() - began;
  }, urls.filter((url) => url.startsWith(process.env.DCRON_PAGE)));
  await page.context().close();
  return took;
}

/** The page of many jobs: shown, typed into and scrolled; each beside a page that is only a field, or only rows. */
async function jobs(browser) {
  const page = await freshPage(browser);
  await page.goto("/jobs", { waitUntil: "commit" });
  const { shown } = await interactiveAt(page, ROW);
  const total = await page.locator("h1 .count").textContent();
  const answer = await page.evaluate(async () => {
    const began = performance.now();
    await (await fetch("/api/v1/jobs?limit=50")).json();
    return performance.now() - began;
  });
  await page.mouse.move(600, 600);
  const frames = await scrolled(page, 120, 240);
  await page.getByRole("searchbox", { name: "Search jobs" }).focus();
  const keys = await typed(page, KEYS);
  await page.context().close();
  return { total, shown, answer, frames, keys, bare: await bareUse(browser) };
}

async function bareUse(browser) {
  const page = await freshPage(browser);
  await page.setContent(`<input><div>${"<p>A row of text that is there from the start</p>".repeat(2000)}</div>`);
  await page.mouse.move(600, 600);
  const frames = await scrolled(page, 120, 240);
  await page.locator("input").focus();
  const keys = await typed(page, KEYS);
  await page.context().close();
  return { frames, keys };
}

/** The output of a run of a million lines, watched from before its end. */
async function output(browser, run) {
  const page = await freshPage(browser);
  await page.goto(`/runs/${run}`);
  await page.locator(".connection-finished").waitFor({ timeout: 240_000 });
  const last = page.locator(".line-number").last();
  await page.waitForFunction(() => [...document.querySelectorAll(".line-number")].at(-1)?.textContent === "1000000", null, { timeout: 60_000 });
  const shownAt = Date.now();
  const heap = await heapMb(page);
  const box = await page.getByRole("log", { name: "Output" }).boundingBox();
  await page.mouse.move(box.x + 200, box.y + 100);
  const frames = await scrolled(page, 240, -4000);
  const search = await searched(page);
  const bare = await bareText(page, run);
  const lines = await last.textContent();
  return { shownAt, lines, heapMb: heap, frames, ...search, ...bare };
}

async function heapMb(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("HeapProfiler.collectGarbage");
  return (await page.evaluate(() => performance.memory.usedJSHeapSize)) / MB;
}

/** Search for a text: the time from each key to the next paint, and from the last key to the count of all matches. */
async function searched(page) {
  await page.getByRole("searchbox", { name: "Search output" }).focus();
  const keys = await typed(page, "part 77777");
  await page.getByRole("searchbox", { name: "Search output" }).fill("");
  const began = Date.now();
  await page.getByRole("searchbox", { name: "Search output" }).fill("part 888888");
  await page.waitForFunction(() => document.querySelector(".output-count")?.textContent === "1", null, { polling: 10 });
  return { keys, searchMs: Date.now() - began };
}

/** The same bytes, fetched and cut into lines, and looked through by a plain loop. */
async function bareText(page, run) {
  const download = await page.getByRole("link", { name: "Download" }).getAttribute("href");
  return page.evaluate(async (url) => {
    const began = performance.now();
    const lines = (await (await fetch(url, { credentials: "include" })).text()).split("\n");
    const bareLoadMs = performance.now() - began;
    const from = performance.now();
    const found = lines.filter((line) => line.toLowerCase().includes("part 888888")).length;
    return { bareLoadMs, bareSearchMs: performance.now() - from, found, textMb: lines.reduce((sum, line) => sum + line.length, 0) / 1e6 };
  }, download);
}

const [what, run] = process.argv.slice(2);
const browser = await launch();
try {
  console.log(JSON.stringify(await { first, jobs, output }[what](browser, run)));
} finally {
  await browser.close();
}
