import { expect, test } from "vitest";
import { leaves } from "./leaves";

test("every field that is set, by its path; lists as wholes, what is null not at all", () => {
  const spec = { name: "a", run: { http: { url: "u", headers: { Accept: "x" } } }, tags: ["b", "c"], timeout: null, env: {} };
  expect([...leaves(spec)]).toEqual([["name", "a"], ["run.http.url", "u"], ["run.http.headers.Accept", "x"], ["tags", ["b", "c"]]]);
});
