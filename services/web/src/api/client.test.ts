import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { RefusedError, Service, UnreachableError, withQuery } from "./client";
import { RunOutput } from "./ingester";
import { ingesterAddress } from "./services";
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

test("the output of a run is asked for as the log-ingester's API wants it", async () => {
  const asked: string[] = [];
  const base = await serving((request, response) => {
    asked.push(request.url ?? "");
    response.end("{}");
  });
  const output = new RunOutput(new Service("log-ingester", base), "a.t1.1");
  await output.output(0, new AbortController().signal);
  expect(asked).toEqual(["/api/v1/executions/a.t1.1/output?from_seq=0&limit=1000"]);
  expect(output.downloadAddress()).toBe(`${base}/api/v1/executions/a.t1.1/output?download=true`);
});

test("a body is sent as JSON, and an answer without one is none", async () => {
  const got: unknown[] = [];
  const base = await serving((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      got.push(request.method, request.headers["content-type"], JSON.parse(Buffer.concat(parts).toString()));
      response.writeHead(204).end();
    });
  });
  const answer = await new Service("master", base).request("/x", { method: "PUT", body: { a: 1 } });
  expect([...got, answer]).toEqual(["PUT", "application/json", { a: 1 }, undefined]);
});

test.each([
  ["http://127.0.0.1:8701", "http://127.0.0.1:8700/jobs/1", "http://127.0.0.1:8701"],
  ["https://logs.test/dcron/", "https://cron.test/", "https://logs.test/dcron"],
  ["", "https://cron.test/jobs/1", "https://cron.test"],
  ["/logs", "https://cron.test/jobs/1", "https://cron.test/logs"],
])("the log-ingester %j is reached from %s at %s", (given, here, address) => {
  expect(ingesterAddress(given, here)).toBe(address);
});

test("a query is escaped, parameters are repeated, and empty ones left out", () => {
  expect(withQuery("/x", { a: ["b", "c"], d: "", e: undefined, f: 0 })).toBe("/x?a=b&a=c&f=0");
  expect(withQuery("/x", { q: "a&b c" })).toBe("/x?q=a%26b+c");
});

test("a key is a UUID, new each time", () => {
  const keys = [newKey(), newKey()];
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(keys[0]).not.toBe(keys[1]);
});
