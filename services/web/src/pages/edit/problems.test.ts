import { expect, test } from "vitest";
import { RefusedError } from "../../api/client";
import { placeOf, problemsOf, problemText, standing } from "./problems";

test("a problem belongs to the nearest field around it that is shown", () => {
  expect(placeOf("schedule.cron")).toBe("schedule.cron");
  expect(placeOf("exclude[1]")).toBe("exclude");
  expect(placeOf("env.DCRON_X")).toBe("env");
  expect(placeOf("run.argv[2]")).toBe("run.argv");
  expect(placeOf("run.http")).toBe("run");
  expect(placeOf("shedule")).toBeUndefined();
  expect(placeOf("environment")).toBeUndefined();
  expect(placeOf("")).toBeUndefined();
});

test("it is told without its name beside its own field, and with the remedy", () => {
  const problems = [
    { field: "env.DCRON_X", message: "DCRON_* is set by dcron itself", remedy: "choose another name" },
    { field: "timeout", message: "is not a duration", remedy: "" },
  ];
  expect(problemText(problems, "env")).toBe("env.DCRON_X: DCRON_* is set by dcron itself; choose another name");
  expect(problemText(problems, "timeout")).toBe("is not a duration");
  expect(problemText(problems, "owner")).toBeUndefined();
});

test("a name that is taken is a problem of the name, a rival edit is none of a field", () => {
  const taken = new RefusedError({ title: "the name is taken", status: 409, detail: "a is taken" });
  expect(problemsOf(taken)).toEqual([{ field: "name", message: "a is taken" }]);
  const rival = { title: "version conflict", status: 409, current_version: 2, current: { name: "a", run: { shell: "x" } } };
  expect(problemsOf(new RefusedError(rival))).toEqual([]);
});

test("what a save was refused for stands until it is changed", () => {
  const refused = [{ field: "after", message: "no such job" }, { field: "name", message: "is taken" }];
  const then = { name: "a", after: [{ job: "b" }] };
  expect(standing(refused, then, { ...then, owner: "ada" })).toEqual(refused);
  expect(standing(refused, then, { ...then, name: "c" }).map(({ field }) => field)).toEqual(["after"]);
});
