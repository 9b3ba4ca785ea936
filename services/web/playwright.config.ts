import { defineConfig } from "@playwright/test";
import { execFileSync } from "node:child_process";

/** The machine's own Chromium; none is ever downloaded. */
function chromium(): string {
  const given = process.env["DCRON_CHROMIUM"];
  if (given) return given;
  try {
    return execFileSync("which", ["chromium"], { encoding: "utf8" }).trim();
  } catch {
    throw new Error("chromium is not installed: apt-get install chromium, or name one in DCRON_CHROMIUM");
  }
}

// The services are started by tests/acceptance/test_page.py, which says where they are.
export default defineConfig({
  testDir: "e2e",
  outputDir: "e2e/results",
  workers: 1,
  timeout: 30_000,
  expect: { timeout: 10_000 },
  reporter: "line",
  use: {
    browserName: "chromium",
    baseURL: process.env["DCRON_PAGE"] ?? "http://127.0.0.1:8700",
    viewport: { width: 1360, height: 900 },
    timezoneId: "Europe/Berlin",
    locale: "en-GB",
    launchOptions: { executablePath: chromium(), args: ["--no-sandbox", "--disable-dev-shm-usage"] },
    screenshot: "only-on-failure",
  },
});
