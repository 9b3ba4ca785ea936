import { expect, test } from "vitest";
import type { JobSpec } from "../../api/types";
import { specDiff } from "./specDiff";

const spec: JobSpec = { name: "a", run: { shell: "x" }, schedule: { cron: "* * * * *" }, tags: ["b"], env: { PATH: "/bin" } };

test("fields that differ, by their path; lists as a whole", () => {
  const other: JobSpec = { name: "a", run: { argv: ["x"] }, schedule: { cron: "0 * * * *" }, tags: ["b", "c"], env: { PATH: "/bin" } };
  expect(specDiff(spec, other)).toEqual([
    { field: "run.argv", before: null, after: ["x"] },
    { field: "run.shell", before: "x", after: null },
    { field: "schedule.cron", before: "* * * * *", after: "0 * * * *" },
    { field: "tags", before: ["b"], after: ["b", "c"] },
  ]);
});

test("the same is no difference, and nothing is the absence of all", () => {
  expect(specDiff(spec, { ...spec })).toEqual([]);
  expect(specDiff(null, { name: "a", run: { shell: "x" } }).map(({ field }) => field)).toEqual(["name", "run.shell"]);
});
