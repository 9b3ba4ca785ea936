import { describe, expect, test } from "vitest";
import type { Grants, Role } from "../api/types";
import { added, grantsOf, isTwice, rowsOf } from "./grantRows";
import { grantTexts, holds, holdsSomewhere, lackingIn, namespacesWith, roleIn, ROLES } from "./rights";

describe("G11: the page offers what the services allow", () => {
  test.each(ROLES.flatMap((held, has) => ROLES.map((wanted, wants) => [held, wanted, wants <= has] as const)))(
    "%s as %s: %s",
    (held, wanted, allowed) => {
      expect(holds({ billing: held }, wanted, "billing")).toBe(allowed);
      expect(holds({ "*": held }, wanted, "billing")).toBe(allowed);
      expect(holds({ billing: held }, wanted, "other")).toBe(false);
      expect(holds({ billing: held }, wanted)).toBe(false); // for the whole system
    },
  );

  test("the higher of two roles counts, wherever it is granted", () => {
    expect(roleIn({ "*": "viewer", billing: "editor" }, "billing")).toBe("editor");
    expect(roleIn({ "*": "editor", billing: "viewer" }, "billing")).toBe("editor");
    expect(roleIn({}, "billing")).toBeNull();
    expect(roleIn({}, "constructor")).toBeNull();
  });

  test("namespaces by role: all of them, or those that are granted", () => {
    const grants: Grants = { b: "editor", a: "admin", c: "viewer" };
    expect(namespacesWith(grants, "editor")).toEqual(["a", "b"]);
    expect(namespacesWith({ "*": "editor" }, "editor")).toBeNull();
    expect(holdsSomewhere(grants, "admin")).toBe(true);
    expect(holdsSomewhere({ c: "viewer" }, "operator")).toBe(false);
    expect(lackingIn(grants, "editor", ["c", "a", "c", "d"])).toEqual(["c", "d"]);
  });

  test("in words", () => {
    expect(grantTexts({ billing: "editor", "*": "viewer" })).toEqual(["viewer everywhere", "editor in billing"]);
  });
});

test("grants as rows, and back; a row without a namespace says nothing, of two the first counts", () => {
  const grants: Grants = { "*": "viewer", billing: "admin" };
  expect(grantsOf(rowsOf(grants))).toEqual(grants);
  const rows = added(added(rowsOf(grants), "billing"), "");
  expect(grantsOf(rows)).toEqual(grants);
  expect(rows.map((row) => isTwice(rows, row))).toEqual([false, false, true, false]);
  expect(new Set(rows.map(({ id }) => id)).size).toBe(4);
  expect(added([], "x")[0]?.role satisfies Role | undefined).toBe("viewer");
});
