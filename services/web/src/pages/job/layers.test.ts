import { expect, test } from "vitest";
import type { DependencyGraph } from "../../api/types";
import { placed } from "./layers";

function graph(jobs: string, ...edges: string[]): DependencyGraph {
  return {
    jobs: [...jobs].map((name) => ({ job_id: name, name, enabled: true })),
    edges: edges.map((edge) => ({ before: edge[0]!, after: edge[1]!, on: "succeeded" })),
  };
}

const columns = (given: DependencyGraph) => Object.fromEntries(placed(given).map(({ job_id, column }) => [job_id, column]));

test("a job stands to the right of all it comes after", () => {
  expect(columns(graph("abcd", "ab", "bc", "ac", "dc"))).toEqual({ a: 0, b: 1, c: 2, d: 0 });
});

test("jobs of one column stand below each other", () => {
  expect(placed(graph("abc", "ab", "ac"))).toEqual([
    { job_id: "a", column: 0, row: 0 },
    { job_id: "b", column: 1, row: 0 },
    { job_id: "c", column: 1, row: 1 },
  ]);
});

test("a circle ends", () => {
  expect(placed(graph("ab", "ab", "ba"))).toHaveLength(2);
});
