import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { differenceOf } from "./difference";
import { defaultOf, type Draft, placed, scheduleOf, tidied, valueAt, withValue, written } from "./draft";
import { switched } from "./kinds";

const backup: Draft = { name: "backup", run: { shell: "true" }, schedule: { cron: "30 2 * * *" }, env: { TARGET: "/a" } };

test("a field that is not written has its default", () => {
  expect(valueAt(backup, ["timezone"])).toBe("UTC");
  expect(valueAt(backup, ["retry", "on"])).toEqual(["failed", "timed_out", "lost"]);
  expect(valueAt(backup, ["timeout"])).toBeUndefined();
  expect(written({ name: "x" }, ["toString"])).toBeUndefined();
});

test("the defaults are those of the published schema of a job", () => {
  const schema = JSON.parse(readFileSync(new URL("../../../../../schemas/json/job.json", import.meta.url), "utf8"));
  const parts = schema.$defs as Record<string, { properties: Record<string, { default?: unknown }> }>;
  const places = { "": "JobSpec", "run.http.": "HttpCall", "dst.": "Dst", "misfire.": "Misfire", "retry.": "Retry", "placement.": "Placement" };
  for (const [prefix, part] of Object.entries(places)) {
    for (const [name, { default: usual }] of Object.entries(parts[part]!.properties)) {
      if (typeof usual === "object" && usual !== null && !Array.isArray(usual) && name !== "env" && name !== "headers") continue;
      if (`${prefix}${name}` === "notify") continue; // refused by the server
      expect(defaultOf(`${prefix}${name}`.split(".")) ?? null, `${prefix}${name}`).toEqual(usual ?? null);
    }
  }
});

test("what is set to its default, or to nothing, is left out of what is sent", () => {
  let draft = withValue(backup, ["timezone"], "Europe/Berlin");
  draft = withValue(draft, ["retry", "attempts"], 3);
  expect(draft).toEqual({ ...backup, timezone: "Europe/Berlin", retry: { attempts: 3 } });
  draft = withValue(draft, ["timezone"], "UTC");
  draft = withValue(draft, ["retry", "attempts"], 0);
  draft = withValue(draft, ["schedule", "cron"], "");
  expect(draft).toEqual({ name: "backup", run: { shell: "true" }, env: { TARGET: "/a" } });
});

test("what no field shows is kept", () => {
  const odd: Draft = { ...backup, notify: [{ url: "https://x" }], future: { a: 1 } };
  expect(withValue(odd, ["owner"], "ada")).toEqual({ ...odd, owner: "ada" });
});

test("a definition is tidied into the order in which people read it", () => {
  const draft: Draft = { timezone: "UTC", retry: { attempts: 0 }, schedule: { cron: "@daily" }, run: { shell: "x" }, name: "a", zzz: 1, timeout: null };
  expect(JSON.stringify(tidied(draft))).toBe('{"name":"a","run":{"shell":"x"},"schedule":{"cron":"@daily"},"zzz":1}');
});

test("the ticks are asked for with what decides on them alone", () => {
  expect(scheduleOf({ ...backup, timezone: "Europe/Berlin", jitter: "5s" })).toEqual({
    schedule: { cron: "30 2 * * *" }, timezone: "Europe/Berlin", jitter: "5s",
  });
});

test("differences are told field by field, with the defaults, lists as wholes", () => {
  const after: Draft = {
    name: "backup", run: { shell: "false" }, schedule: { cron: "0 3 * * *" }, env: { TARGET: "/b", "A.B": "1" },
    overlap: "queue", tags: ["x", "y"], retry: { attempts: 2, backoff: "10s" }, description: "",
  };
  const told = differenceOf(backup, after).map(({ field, before, after: now }) => [field, before, now]);
  expect(Object.fromEntries(told.map(([field, ...rest]) => [field, rest]))).toEqual({
    "run.shell": ["true", "false"],
    "schedule.cron": ["30 2 * * *", "0 3 * * *"],
    "env.TARGET": ["/a", "/b"],
    "env.A.B": [undefined, "1"],
    overlap: ["skip", "queue"],
    tags: [[], ["x", "y"]],
    "retry.attempts": [0, 2],
  });
});

test("another kind of run or schedule is one change", () => {
  const after: Draft = { ...backup, run: { argv: ["date"] }, schedule: { every: "1h" } };
  expect(differenceOf(backup, after).map(({ field, before, after: now }) => [field, before, now])).toEqual([
    ["run", { shell: "true" }, { argv: ["date"] }],
    ["schedule", { cron: "30 2 * * *" }, { every: "1h" }],
  ]);
});

test("another kind takes out what has no effect with it, and gives it back", () => {
  const draft: Draft = { ...backup, working_directory: "/srv", limits: { cpu_time: "9s", output_bytes: 5 } };
  const http = switched(draft, {}, "run", "http");
  expect(http.draft).toEqual({ name: "backup", schedule: backup["schedule"], limits: { output_bytes: 5 } });
  const called = placed(http.draft, ["run", "http", "url"], "https://x");
  const back = switched(called, http.kept, "run", "shell");
  expect(back.draft).toEqual(draft);
  expect(switched(back.draft, back.kept, "run", "http").draft).toEqual(called);
});

test("without a schedule there is no window; with every no rule for clock changes", () => {
  const draft: Draft = { ...backup, dst: { gap: "skip" }, jitter: "5s", exclude: ["weekends"] };
  const every = switched(draft, {}, "schedule", "every");
  expect(every.draft).toEqual({ ...backup, schedule: undefined, jitter: "5s", exclude: ["weekends"] });
  const none = switched(every.draft, every.kept, "schedule", "none");
  expect(none.draft).toEqual({ name: "backup", run: { shell: "true" }, env: { TARGET: "/a" } });
  expect(switched(none.draft, none.kept, "schedule", "cron").draft).toEqual(draft);
});
