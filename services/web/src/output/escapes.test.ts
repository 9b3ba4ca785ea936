import { expect, test } from "vitest";
import { EscapeReader, type Piece } from "./escapes";

const textOf = (pieces: Piece[]): string => pieces.map(({ text }) => text).join("");

test.each([
  ["colours", "\x1b[1;32mok\x1b[0m", "ok"],
  ["cursor movements", "a\x1b[2K\x1b[1Gb", "ab"],
  ["a hyperlink", "\x1b]8;;http://x.test\x07text\x1b]8;;\x07", "text"],
  ["a title ended by ST", "\x1b]0;title\x1b\\text", "text"],
  ["a device control string", "\x1bPq#0\x1b\\text", "text"],
  ["a character set", "\x1b(Btext", "text"],
  ["a two-character escape", "\x1b7text\x1b8", "text"],
  ["nothing but text", "naïve – 你好 🙂\t<b>", "naïve – 你好 🙂\t<b>"],
])("takes out %s", (_, given, shown) => {
  const reader = new EscapeReader();
  expect(textOf([...reader.read(given), ...reader.flush()])).toBe(shown);
});

test("an escape may be cut anywhere by the end of a chunk", () => {
  const whole = "a\x1b[38;5;196mb\x1b]8;;http://x.test\x1b\\c\x1b(Bd";
  for (let cut = 0; cut <= whole.length; cut++) {
    const reader = new EscapeReader();
    const pieces = [...reader.read(whole.slice(0, cut)), ...reader.read(whole.slice(cut)), ...reader.flush()];
    expect(textOf(pieces)).toBe("abcd");
    expect(pieces.find(({ text }) => text.includes("b"))?.style).toEqual({ fg: "#ff0000" });
  }
});

test("control characters and those that reorder text are made visible, so that a line is what it seems", () => {
  expect(textOf(new EscapeReader().read("a\x00b\x08c\x7fd\u202ee"))).toBe("a␀b␈c␡d�e");
});

test("what only looks like the beginning of an escape is shown in the end", () => {
  const reader = new EscapeReader();
  expect(textOf(reader.read("end\x1b[3"))).toBe("end");
  expect(textOf(reader.flush())).toBe("␛[3");
});

test("an endless unfinished escape does not swallow the output", () => {
  expect(textOf(new EscapeReader().read(`\x1b]${"x".repeat(5000)}`))).toContain("xxx");
});

test("a style holds until it is taken back, over chunks too", () => {
  const reader = new EscapeReader();
  expect(reader.read("a\x1b[31mb")).toEqual([
    { text: "a", style: null },
    { text: "b", style: { fg: 1 } },
  ]);
  expect(reader.read("c\x1b[0md")).toEqual([
    { text: "c", style: { fg: 1 } },
    { text: "d", style: null },
  ]);
});
