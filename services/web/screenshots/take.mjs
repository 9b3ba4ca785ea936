/**
 * Pictures of the main pages for the README: `node screenshots/take.mjs` writes docs/images/<page>-<theme>.png.
 *
 * A dcron of its own runs for two minutes on the example jobs beside this file, and is gone afterwards.
 */
import { chromium } from "@playwright/test";
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const DCRON = join(ROOT, ".venv/bin/dcron");
const PORT = Number(process.env.SCREENSHOTS_PORT ?? 8790);
const PAGE = `http://127.0.0.1:${PORT}`;
const STORY_S = Number(process.env.SCREENSHOTS_STORY_S ?? 100); // so long the jobs run before the first picture
const MOST_BYTES = 160_000;

const data = mkdtempSync(join(tmpdir(), "dcron-screenshots-"));

/** Start everything; resolves once it is ready. */
async function up() {
  const ports = ["--master-port", PORT, "--log-ingester-port", PORT + 1, "--worker-port", PORT + 2].map(String);
  const child = spawn(DCRON, ["up", "--data", data, "--workers", "3", ...ports], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  await new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`dcron up ended with ${code}`)));
    child.stdout.on("data", (text) => String(text).includes("login?link=") && resolve());
  });
  child.removeAllListeners("exit");
  return child;
}

function dcron(...words) {
  return execFileSync(DCRON, words, { cwd: ROOT, env: { ...process.env, DCRON_DATA: data }, encoding: "utf8" });
}

async function askMaster(method, path, body) {
  const token = readFileSync(join(data, "token"), "utf8").trim();
  const answer = await fetch(`${PAGE}/api/v1${path}`, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function idOf(name) {
  const { jobs } = await askMaster("GET", `/jobs?name=${name}`);
  return jobs[0].job_id;
}

/** What is pictured: name → path, and what to do there before. */
async function pictures() {
  const backup = await idOf("nightly-backup");
  const transform = await idOf("transform");
  const carts = await idOf("abandoned-carts");
  const { execution_id: run } = await askMaster("POST", `/jobs/${backup}/run`);
  return {
    run: { path: `/runs/${run}`, wait: 9000 },
    overview: { path: "/?span=1h" },
    jobs: { path: "/jobs" },
    job: { path: `/jobs/${transform}?tab=dependencies` },
    schedule: { path: `/jobs/${carts}?tab=schedule` },
    edit: { path: `/jobs/${backup}/edit` },
    timeline: { path: "/timeline?span=15m" },
    audit: { path: "/audit", open: "Changed" },
  };
}

async function take(browser, theme) {
  const context = await browser.newContext({
    baseURL: PAGE, viewport: { width: 1280, height: 760 }, colorScheme: theme, timezoneId: "Europe/Berlin", locale: "en-GB", reducedMotion: "reduce",
  });
  const page = await context.newPage();
  const { url } = await askMaster("POST", "/users/admin/login-links");
  await page.goto(new URL(url).pathname + new URL(url).search);
  for (const [name, { path, wait = 1500, open }] of Object.entries(await pictures())) {
    await page.goto(path);
    await page.getByRole("heading", { level: 1 }).waitFor();
    if (open) await page.getByRole("row").filter({ hasText: open }).getByRole("button").first().click();
    await page.waitForTimeout(wait);
    const file = join(ROOT, "docs/images", `${name}-${theme}.png`);
    await page.screenshot({ path: file });
    const { size } = statSync(file);
    console.log(`${name}-${theme}.png  ${(size / 1000).toFixed(0)} kB${size > MOST_BYTES ? ": heavy for a README" : ""}`);
  }
  await context.close();
}

const child = await up();
try {
  dcron("job", "apply", "-f", join(ROOT, "services/web/screenshots/jobs.yaml"));
  console.log(`the example jobs run for ${STORY_S} s`);
  await new Promise((resolve) => setTimeout(resolve, STORY_S * 1000));
  dcron("job", "pause", "certificate-check");
  await askMaster("PATCH", `/jobs/${await idOf("price-feed")}`, { schedule: { every: "20s" }, retry: { attempts: 4 }, timeout: "1m" });
  const executablePath = process.env.DCRON_CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage"] });
  for (const theme of ["light", "dark"]) await take(browser, theme);
  await browser.close();
} finally {
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
  rmSync(data, { recursive: true, force: true });
}
