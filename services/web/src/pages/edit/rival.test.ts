import { expect, test } from "vitest";
import type { Draft } from "./draft";
import { allOf, chosen, firstChoices, isDecided, rivalries } from "./rival";

const base: Draft = { name: "a", run: { shell: "old" }, schedule: { cron: "0 1 * * *" }, env: { A: "1", B: "2" }, timeout: "1h" };
const theirs: Draft = { ...base, run: { shell: "theirs" }, env: { A: "1", B: "2", C: "3" }, enabled: false };
const { timeout: _, ...untimed } = base;
const mine: Draft = { ...untimed, run: { shell: "mine" }, env: { A: "9", B: "2" }, schedule: { every: "5m" } };

const rows = rivalries(base, theirs, mine);

test("each field that differs is told with who changed it", () => {
  expect(Object.fromEntries(rows.map(({ field, changedBy }) => [field, changedBy]))).toEqual({
    "run.shell": "both",
    "env.A": "mine",
    "env.C": "theirs",
    schedule: "mine",
    timeout: "mine",
    enabled: "theirs",
  });
  const shell = rows.find(({ field }) => field === "run.shell");
  expect([shell?.before, shell?.after]).toEqual(["theirs", "mine"]);
});

test("what only one changed is chosen already; what both did is not", () => {
  const first = firstChoices(rows);
  expect(first).toEqual({ "env.A": "mine", "env.C": "theirs", schedule: "mine", timeout: "mine", enabled: "theirs" });
  expect(isDecided(rows, first)).toBe(false);
  expect(isDecided(rows, { ...first, "run.shell": "mine" })).toBe(true);
});

test("the choice is theirs with what was taken of mine; nobody's other change is lost", () => {
  expect(chosen(rows, { ...firstChoices(rows), "run.shell": "theirs" }, theirs, mine)).toEqual({
    name: "a", run: { shell: "theirs" }, schedule: { every: "5m" }, env: { A: "9", B: "2", C: "3" }, enabled: false,
  });
});

test("all of one side is that side", () => {
  expect(chosen(rows, allOf(rows, "theirs"), theirs, mine)).toEqual(theirs);
  expect(chosen(rows, allOf(rows, "mine"), theirs, mine)).toEqual(mine);
});

test("two that say the same are no rivals", () => {
  expect(rivalries(base, { ...base, owner: "ada" }, { ...base, owner: "ada" })).toEqual([]);
});
