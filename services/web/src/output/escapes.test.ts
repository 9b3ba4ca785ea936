import { expect, test } from "vitest";
import { EscapeFilter } from "./escapes";

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
  const filter = new EscapeFilter();
  expect(filter.clean(given) + filter.flush()).toBe(shown);
});

test("an escape may be cut anywhere by the end of a chunk", () => {
  const whole = "a\x1b[38;5;196mb\x1b]8;;http://x.test\x1b\\c\x1b(Bd";
  for (let cut = 0; cut <= whole.length; cut++) {
    const filter = new EscapeFilter();
    expect(filter.clean(whole.slice(0, cut)) + filter.clean(whole.slice(cut)) + filter.flush()).toBe("abcd");
  }
});

test("control characters and those that reorder text are made visible, so that a line is what it seems", () => {
  expect(new EscapeFilter().clean("a\x00b\x08c\x7fd\u202ee")).toBe("a␀b␈c␡d�e");
});

test("what only looks like the beginning of an escape is shown in the end", () => {
  const filter = new EscapeFilter();
  expect(filter.clean("end\x1b[3")).toBe("end");
  expect(filter.flush()).toBe("␛[3");
});

test("an endless unfinished escape does not swallow the output", () => {
  expect(new EscapeFilter().clean(`\x1b]${"x".repeat(5000)}`)).toContain("xxx");
});
