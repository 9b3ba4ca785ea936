/** A browser of a measurement's own: logged in, with its clocks and observers set before the page's first script. */
import { chromium } from "@playwright/test";
import { execFileSync } from "node:child_process";

export const PAGE = process.env.DCRON_PAGE;
const BOOTSTRAP = { Authorization: `Bearer ${process.env.DCRON_TOKEN}`, "Content-Type": "application/json" };

export async function launch() {
  const executablePath = process.env.DCRON_CHROMIUM ?? execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  return chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-dev-shm-usage", "--enable-precise-memory-info"] });
}

/** The cookies of an administrator of the measurement's own. */
async function loggedIn(browser) {
  const name = `measured-${Date.now()}`;
  const ask = async (path, body) => {
    const answer = await fetch(`${PAGE}/api/v1${path}`, { method: "POST", headers: BOOTSTRAP, body: JSON.stringify(body) });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  };
  await ask("/users", { name, grants: { "*": "admin" } });
  const { pathname, search } = new URL((await ask(`/users/${name}/login-links`, {})).url);
  const context = await browser.newContext({ baseURL: PAGE });
  await context.request.get(pathname + search, { maxRedirects: 0 });
  const state = await context.storageState();
  await context.close();
  return state;
}

let login; // of this process

/** A page with a cold cache that has not shown anything yet. */
export async function freshPage(browser) {
  login ??= await loggedIn(browser);
  const context = await browser.newContext({ baseURL: PAGE, viewport: { width: 1360, height: 900 }, storageState: login });
  const page = await context.newPage();
  await page.addInitScript(observe);
  return page;
}

/** Runs in the page: keeps long tasks, the next paint after each key, and the time between frames while asked to. */
function observe() {
  const kept = { tasks: [], keys: [], frames: [] };
  window.measured = kept;
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) kept.tasks.push([startTime, duration]);
  }).observe({ type: "longtask", buffered: true });
  new PerformanceObserver((list) => {
    for (const { name, duration } of list.getEntries()) if (name === "keydown") kept.keys.push(duration);
  }).observe({ type: "event", durationThreshold: 16, buffered: true });
  window.countFrames = (on) => {
    window.counting = on;
    let before = performance.now();
    const frame = (now) => {
      if (!window.counting) return;
      kept.frames.push(now - before);
      before = now;
      requestAnimationFrame(frame);
    };
    if (on) kept.frames.length = 0;
    if (on) requestAnimationFrame((now) => { before = now; requestAnimationFrame(frame); });
  };
}

/** Type as people do; return the time from each key to the next paint. One that was not told took under 16 ms. */
export async function typed(page, text) {
  await page.evaluate(() => void (window.measured.keys.length = 0));
  await page.keyboard.type(text, { delay: 90 });
  await page.waitForTimeout(500);
  const told = await page.evaluate(() => window.measured.keys);
  return [...told, ...Array(Math.max(0, text.length - told.length)).fill(16)];
}

/** Turn the wheel over what is under the pointer; return the time between frames. */
export async function scrolled(page, turns, dy) {
  await page.evaluate(() => window.countFrames(true));
  for (let turn = 0; turn < turns; turn++) {
    await page.mouse.wheel(0, turn % 20 < 14 ? dy : -dy);
    await page.waitForTimeout(16);
  }
  return page.evaluate(() => {
    window.countFrames(false);
    return window.measured.frames;
  });
}

/** Navigation start → `selector` painted, and no long task under way for 300 ms. */
export async function interactiveAt(page, selector) {
  return page.evaluate(async (wanted) => {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    while (!document.querySelector(wanted)) {
      await frame();
      if (performance.now() > 60_000) throw new Error(`${wanted} is not shown after a minute`);
    }
    await frame();
    const shown = performance.now();
    const end = () => Math.max(shown, ...window.measured.tasks.map(([start, took]) => start + took));
    while (performance.now() < end() + 300) await frame();
    return { shown, interactive: end() };
  }, selector);
}
