/** Texts as an attacker would store them, and the judge that says whether a page took one for more than text. */

import type { Page } from "@playwright/test";
import { expect } from "./page";

/** HTML that would leave a mark: an element of class `planted`, a request for /planted, or `window.planted`. */
export const HTML = [
  `<img class=planted src=/planted.png onerror="window.planted=1">`,
  `"><svg class=planted onload=window.planted=1>`,
  `</td></script><script class=planted>window.planted=1</script>`,
  `<a class=planted href="javascript:window.planted=1">x</a>`,
  `javascript:window.planted=1`,
  "&lt;b class=planted&gt; &#60;b class=planted&#62; {{7*7}} ${7*7} %3Cb%3E",
].join(" ");

export const BIDI = "fdp.\u202Exe.exe\u202C \u2066isolated\u2069 \u200Bzero\u200D\uFEFFwidth\u200F";
export const WORD = "w".repeat(10_000);

/** What a terminal would obey: its title, links, the cursor, the screen, questions to it. Colours are real here. */
export const ESCAPES = [
  "\x1b]0;planted\x07\x1b]2;planted\x1b\\",
  "\x1b]8;;javascript:window.planted=1\x1b\\linked\x1b]8;;\x1b\\",
  "\x1b[2J\x1b[1;1H\x1b[10A\x1b[?1049h\x1bc\x1b[6n\x1b]52;c;cGxhbnRlZA==\x07",
  "\x1b[31mred\x1b[0m \x9b32mnot green \x1b[38;5;999m\x1b[999999999m",
].join("");

/** Watches from now on for what only markup could do. */
export function watch(page: Page): { expectOnlyText(shown?: string): Promise<void> } {
  const seen: string[] = [];
  page.on("dialog", (dialog) => {
    seen.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    if (new URL(request.url()).pathname === "/planted.png") seen.push(`a request for ${request.url()}`);
  });
  page.on("popup", (popup) => void seen.push(`a window of ${popup.url()}`));

  async function expectOnlyText(shown?: string): Promise<void> {
    if (shown) await expect(page.locator("main")).toContainText(shown);
    await expect(page.locator(`.planted, main script, main iframe, [onerror], [onload], a[href^="javascript" i]`)).toHaveCount(0);
    await expect(page).not.toHaveTitle(/^planted/);
    expect(await page.evaluate(() => "planted" in window)).toBe(false);
    expect(await tooWide(page), page.url()).toEqual([]);
    expect(seen).toEqual([]);
  }
  return { expectOnlyText };
}

/** What makes the page wider than the window, outermost first; [] if all fits or scrolls within itself. */
function tooWide(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    if (document.documentElement.scrollWidth <= window.innerWidth) return [];
    const beyond = [...document.querySelectorAll("main, main *")].filter(
      (element) => element.getBoundingClientRect().right > window.innerWidth + 1,
    );
    return ["the page", ...beyond.slice(0, 12).map(({ tagName, className }) => `${tagName} ${className}`)];
  });
}
