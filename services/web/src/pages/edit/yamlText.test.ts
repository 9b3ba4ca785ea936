import { expect, test } from "vitest";
import type { Draft } from "./draft";
import { lineOf, read, textOf } from "./yamlText";

test("a draft is written and read back, with texts that look like something else", () => {
  const draft: Draft = {
    name: "on", run: { shell: "set -eu\n# a comment: no\necho 'x'\n" }, env: { A: "0123", B: "null", C: "yes", D: "2026-01-01", "a.b": "" },
    schedule: { at: "2026-12-31T23:59:00+01:00" }, tags: ["true", "1e3"],
  };
  expect(read(textOf(draft))).toEqual({ draft });
  expect(textOf(draft)).toContain("shell: |\n    set -eu\n");
});

test("nothing is a draft without fields", () => {
  expect(textOf({})).toBe("");
  expect(read("# nothing yet\n")).toEqual({ draft: {} });
});

test("YAML is that of 1.2, as dcron job apply reads it", () => {
  expect(read("name: no\nenv: {A: on, B: 010}\n")).toEqual({ draft: { name: "no", env: { A: "on", B: 10 } } });
});

test.each([
  ["name: a\nrun: [unclosed\n", 3],
  ["name: a\nname: b\n", 2],
  ["name: a\n---\nname: b\n", 2],
  ["- a\n- b\n", 1],
])("what cannot be read is told with its line: %j", (text, line) => {
  expect(read(text)).toMatchObject({ line, message: expect.any(String) });
});

test("names that nest without end are refused, not followed", () => {
  const bomb = ["a: &a [x]", ..."bcdefgh".split("").map((name, at) => `${name}: &${name} [${`*${"abcdefgh"[at]},`.repeat(9)}]`)].join("\n");
  expect(read(bomb)).toHaveProperty("message");
});

test("a field's line is that of its name, or of what is around it", () => {
  const text = "name: a\nrun:\n  shell: x\nenv:\n  a.b: 1\n  PATH: 2\nexclude:\n  - weekends\n  - wekends\n";
  expect(lineOf(text, "run.shell")).toBe(3);
  expect(lineOf(text, "env.a.b")).toBe(5);
  expect(lineOf(text, "exclude[1]")).toBe(9);
  expect(lineOf(text, "run.http.url")).toBe(2);
  expect(lineOf(text, "timezone")).toBeUndefined();
});
