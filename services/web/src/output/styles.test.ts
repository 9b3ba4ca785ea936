import { expect, test } from "vitest";
import { styleAfter } from "./styles";

test.each([
  ["31", { fg: 1 }],
  ["1;92", { bold: true, fg: 10 }],
  ["38;5;196", { fg: "#ff0000" }],
  ["38;5;9", { fg: 9 }],
  ["38;5;244", { fg: "#808080" }],
  ["48;2;1;2;3;4", { bg: "#010203", underline: true }],
  ["38:2:255:128:0", { fg: "#ff8000" }],
  ["38;2;999;0;0", null],
  ["38;5;999;1", { bold: true }],
  ["41;7", { bg: 1, inverse: true }],
  ["", null],
  ["99", null],
] as const)("%s begins its style", (parameters, style) => {
  expect(styleAfter(null, parameters)).toEqual(style);
});

test("what is on stays on until it is taken back", () => {
  const bold = styleAfter(styleAfter(null, "1;31"), "3");
  expect(bold).toEqual({ bold: true, fg: 1, italic: true });
  expect(styleAfter(bold, "22;39")).toEqual({ italic: true });
  expect(styleAfter(bold, "0")).toBeNull();
  expect(styleAfter(bold, "")).toBeNull();
});
