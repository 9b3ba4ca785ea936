import { expect, test } from "vitest";
import { formatDuration, formatElapsed } from "./duration";

test.each([
  [-5, "0 ms"],
  [0, "0 ms"],
  [339.6, "340 ms"],
  [999, "999 ms"],
  [1000, "1.0 s"],
  [4249, "4.2 s"],
  [59_949, "59.9 s"],
  [59_960, "1m 00s"], // never "60.0 s"
  [185_000, "3m 05s"],
  [3_599_700, "1h 00m"], // never "60m"
  [7_800_000, "2h 10m"],
  [273_600_000, "3d 4h"],
])("a duration of %d ms reads %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [-100, "0s"],
  [999, "0s"],
  [59_999, "59s"],
  [60_000, "1m 00s"],
  [119_999, "1m 59s"],
  [86_400_000, "1d 0h"],
])("an elapsed time of %d ms reads %s and never runs ahead", (ms, text) => {
  expect(formatElapsed(ms)).toBe(text);
});
