import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { RefusedError, Service, UnreachableError, withQuery } from "./client";
import { Ingester, ingesterAddress } from "./ingester";
import { newKey } from "./keys";

const servers: Server[] = [];

async function serving(handler: RequestListener): Promise<string> {
  const server = createServer(handler);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

function answering(status: number, body: string): Promise<string> {
  return serving((_, response) => response.writeHead(status).end(body));
}

test("a problem is thrown with its title, detail and fields", async () => {
  const problem = { title: "the job has changed", status: 409, detail: "it is at version 3", errors: [] };
  const service = new Service("master", await answering(409, JSON.stringify(problem)));
  const error = await service.request("/x").catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(RefusedError);
  expect((error as RefusedError).problem).toEqual(problem);
});

test("a refusal that is no problem still says its status", async () => {
  const service = new Service("master", await answering(502, "<h1>Bad gateway</h1>"));
  await expect(service.request("/x")).rejects.toMatchObject({ status: 502, message: "request refused: HTTP status 502" });
});

test("a page in place of JSON is not taken for the service's answer", async () => {
  const service = new Service("master", await answering(200, "<h1>Log in to the hotel's network</h1>"));
  await expect(service.request("/x")).rejects.toBeInstanceOf(UnreachableError);
});

test("nobody there: the error names the service", async () => {
  const address = await answering(200, "{}");
  await new Promise((resolve) => servers.pop()?.close(resolve));
  await expect(new Service("log-ingester", address).request("/x")).rejects.toThrow("the log-ingester does not answer");
});

test("a request that is not wanted any more ends as aborted, not as unreachable", async () => {
  const service = new Service("master", await serving(() => undefined));
  const stop = new AbortController();
  const asked = service.request("/x", { signal: stop.signal });
  stop.abort();
  await expect(asked).rejects.toMatchObject({ name: "AbortError" });
  servers.at(-1)?.closeAllConnections();
});

test("the log-ingester is asked as its API wants it: parameters repeated, empty ones left out", async () => {
  const asked: string[] = [];
  const base = await serving((request, response) => {
    asked.push(request.url ?? "");
    response.end("{}");
  });
  const ingester = new Ingester(base);
  await ingester.latest(["a", "b"]);
  await ingester.executions("a", 25, "");
  await ingester.output("a.t1.1", 0);
  expect(asked).toEqual([
    "/api/v1/executions/latest?job_id=a&job_id=b",
    "/api/v1/executions?job_id=a&limit=25",
    "/api/v1/executions/a.t1.1/output?from_seq=0&limit=500",
  ]);
  expect(ingester.liveAddress("a.t1.1", 7)).toBe(`${base.replace("http", "ws")}/ws/executions/a.t1.1?from_seq=7`);
});

test.each([
  ["http://127.0.0.1:8701", "http://127.0.0.1:8700/jobs/1", "http://127.0.0.1:8701"],
  ["https://logs.test/dcron/", "https://cron.test/", "https://logs.test/dcron"],
  ["", "https://cron.test/jobs/1", "https://cron.test"],
  ["/logs", "https://cron.test/jobs/1", "https://cron.test/logs"],
])("the log-ingester %j is reached from %s at %s", (given, here, address) => {
  expect(ingesterAddress(given, here)).toBe(address);
});

test("a query is escaped", () => {
  expect(withQuery("/x", { q: "a&b c" })).toBe("/x?q=a%26b+c");
});

test("a key is a UUID, new each time", () => {
  const keys = [newKey(), newKey()];
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(keys[0]).not.toBe(keys[1]);
});
