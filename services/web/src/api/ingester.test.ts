import { QueryClient } from "@tanstack/react-query";
import { afterEach, expect, test, vi } from "vitest";
import { runsQuery } from "./ingester";
import { queryClient } from "./services";

const info = { version: "1", log_ingester_url: "http://ingester.test" };
const session: Record<string, object> = {
  "/api/v1/session": { user: "ada", grants: {}, csrf: "c" },
  "/api/v1/session/access": { token: "t", expires_at: "2100-01-01T00:00:00Z" },
};
const run = (id: string) => ({ execution_id: id });

let asked: URLSearchParams[] = [];

function answering(...pages: object[]): void {
  asked = [];
  vi.stubGlobal("window", { location: { href: "http://master.test/" } });
  vi.stubGlobal("fetch", (address: string) => {
    const known = session[address];
    if (known) return Promise.resolve(new Response(JSON.stringify(known)));
    if (address.endsWith("/api/v1/info")) return Promise.resolve(new Response(JSON.stringify(info)));
    asked.push(new URL(address).searchParams);
    return Promise.resolve(new Response(JSON.stringify(pages[asked.length - 1])));
  });
}

afterEach(() => queryClient.clear());

test("a search that stopped at its bound goes on until the page is full", async () => {
  answering(
    { executions: [run("c")], next_cursor: "1", searched_to: "2026-01-01T00:00:00Z" },
    { executions: [], next_cursor: "2", searched_to: "2025-01-01T00:00:00Z" },
    { executions: [run("b"), run("a")], next_cursor: "3", searched_to: null },
  );
  const page = await new QueryClient().fetchQuery(runsQuery({ limit: 3, text: "x" }));
  expect(page).toEqual({ executions: [run("c"), run("b"), run("a")], next_cursor: "3", searched_to: null });
  expect(asked.map((query) => [query.get("cursor"), query.get("limit"), query.get("text")])).toEqual([
    [null, "3", "x"],
    ["1", "2", "x"],
    ["2", "2", "x"],
  ]);
});

test("it gives up in the end, and says how far it came", async () => {
  const page = { executions: [], next_cursor: "n", searched_to: "2025-01-01T00:00:00Z" };
  answering(...Array.from({ length: 20 }, () => page));
  expect(await new QueryClient().fetchQuery(runsQuery({ limit: 3 }))).toEqual(page);
  expect(asked).toHaveLength(6);
});
