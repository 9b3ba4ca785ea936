import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";

const AA = 4.5; // WCAG 2.2, 1.4.3: text
const GRAPHICS = 3; // WCAG 2.2, 1.4.11: what is drawn
const css = readFileSync(new URL("tokens.css", import.meta.url), "utf8");
const [light = "", dark = ""] = css.split(':root[data-mantine-color-scheme="dark"]');

function colours(text: string): Map<string, string> {
  return new Map([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name!, value!]));
}

function luminance(colour: string): number {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

function contrast(a: string, b: string): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

const onGrounds = ["text", "muted", "accent", "good", "warn", "bad"].flatMap((text) =>
  ["ground", "surface", "sunken", "hover"].map((ground) => [text, ground] as const),
);
// output: its colours on its ground, and on that of the lines of stderr
const onOutput = ["text", "muted", "accent", "good", "warn", "bad", "odd", "ansi-grey", "ansi-cyan"].flatMap((text) =>
  ["sunken", "bad-ground", "busy-ground"].map((ground) => [text, ground] as const),
);
const onOwn = ["good", "bad", "warn", "busy", "quiet", "odd"].map((tone) => [tone, `${tone}-ground`] as const);

const onFills = ["accent", "bad"].flatMap((tone) =>
  [`${tone}-fill`, `${tone}-fill-hover`].map((ground) => [`on-${tone}`, ground] as const),
);

describe.each([
  ["light", colours(light)],
  ["dark", colours(dark)],
])("in the %s theme", (_, palette) => {
  test.each(["good", "bad", "warn", "busy", "quiet", "odd"])("a bar that is %s stands out", (tone) => {
    expect(contrast(palette.get(`chart-${tone}`)!, palette.get("surface")!)).toBeGreaterThanOrEqual(GRAPHICS);
  });

  test.each([...onGrounds, ...onOwn, ...onOutput, ...onFills])("%s can be read on %s", (text, ground) => {
    expect(contrast(palette.get(text)!, palette.get(ground)!)).toBeGreaterThanOrEqual(AA);
  });
});
