// @vitest-environment jsdom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RefusedError, Service, UnreachableError } from "../api/client";
import type { AccessToken, Session } from "../api/types";
import { SessionKeeper } from "./keeper";
import { loginPath } from "./LoginLink";

const MINUTE = 60_000;
const refused = (status: number): RefusedError => new RefusedError({ title: "no", status });

let session: Session;
let master: { session: ReturnType<typeof vi.fn<() => Promise<Session>>>; access: ReturnType<typeof vi.fn<(csrf: string) => Promise<AccessToken>>> };
let replaced: ReturnType<typeof vi.fn<() => void>>;
let keeper: SessionKeeper;
let stop: () => void;

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const lasting = (ms: number): AccessToken => ({ token: "t", expires_at: new Date(Date.now() + ms).toISOString() });

beforeEach(async () => {
  vi.useFakeTimers();
  session = { user: "ada", display_name: "", grants: {}, how: "session", csrf: "one", expires_at: null };
  master = {
    session: vi.fn(() => Promise.resolve(session)),
    access: vi.fn((csrf: string) => (csrf === session.csrf ? Promise.resolve(lasting(10 * MINUTE)) : Promise.reject(refused(403)))),
  };
  replaced = vi.fn<() => void>();
  keeper = new SessionKeeper(master, replaced);
  stop = keeper.start();
  await settle();
});

afterEach(() => {
  stop();
  vi.useRealTimers();
});

test("the session is asked for first, and known to whoever waits for it", async () => {
  expect(keeper.state()).toEqual({ kind: "open", session });
  expect(await keeper.session()).toBe(session);
  expect(master.session).toHaveBeenCalledTimes(1);
});

test("G11: the log-ingester's cookie is renewed well before it ends, and not more often", async () => {
  expect(master.access).toHaveBeenCalledTimes(1);
  await settle(6 * MINUTE);
  expect(master.access).toHaveBeenCalledTimes(1);
  await settle(90_000);
  expect(master.access).toHaveBeenCalledTimes(2);
});

test("after a sleep of the computer it is renewed before anything is asked with it", async () => {
  vi.setSystemTime(Date.now() + 60 * MINUTE); // timers have stood still
  await keeper.access();
  expect(master.access).toHaveBeenCalledTimes(2);
  vi.setSystemTime(Date.now() + 60 * MINUTE);
  window.dispatchEvent(new Event("focus"));
  await settle();
  expect(master.access).toHaveBeenCalledTimes(3);
});

test("many who want it renewed at once have it renewed once", async () => {
  keeper.doubt();
  await Promise.all([keeper.access(), keeper.access(), keeper.renew()]);
  expect(master.access).toHaveBeenCalledTimes(2);
});

test("a clock that is wrong by years neither stops the renewing nor makes it a storm", async () => {
  master.access.mockImplementation(() => Promise.resolve(lasting(-1e12)));
  keeper.doubt();
  await settle(MINUTE);
  for (let request = 0; request < 20; request++) await keeper.access();
  expect(master.access.mock.calls.length).toBeGreaterThan(2);
  expect(master.access.mock.calls.length).toBeLessThan(9);
  master.access.mockImplementation(() => Promise.resolve(lasting(1e12)));
  keeper.doubt();
  await settle(15_000);
  master.access.mockClear();
  await settle(9 * MINUTE);
  expect(master.access).toHaveBeenCalled();
});

test("a master that is away does not end the session; the cookie that is there goes on", async () => {
  master.access.mockRejectedValue(new UnreachableError("master"));
  master.session.mockRejectedValue(new UnreachableError("master"));
  keeper.doubt();
  await keeper.access();
  await settle(5 * MINUTE);
  expect(keeper.state()).toEqual({ kind: "open", session });
});

test("when it is over nothing is asked but whether it is back, and then it goes on", async () => {
  master.session.mockRejectedValue(refused(401));
  keeper.end();
  expect(keeper.state()).toEqual({ kind: "over", last: session });
  await expect(keeper.session()).rejects.toMatchObject({ status: 401 });
  master.access.mockClear();
  master.session.mockClear();
  await settle(30_000);
  expect(master.session).toHaveBeenCalledTimes(3);
  expect(master.access).not.toHaveBeenCalled();
  master.session.mockResolvedValue((session = { ...session, csrf: "two" }));
  window.dispatchEvent(new Event("focus"));
  await settle();
  expect(keeper.state()).toEqual({ kind: "open", session });
  expect(master.access).toHaveBeenLastCalledWith("two");
  expect(replaced).not.toHaveBeenCalled();
});

test("somebody else who logs in does not get to see what was shown", async () => {
  keeper.end();
  session = { ...session, user: "eve" };
  await keeper.refresh();
  expect(replaced).toHaveBeenCalledTimes(1);
  expect(keeper.state().kind).toBe("over");
});

test("a master that is not there at first is told, and asked again", async () => {
  master.session.mockRejectedValue(new UnreachableError("master"));
  const other = new SessionKeeper(master, replaced);
  await expect(other.session()).rejects.toThrow("the master does not answer");
  expect(other.state()).toMatchObject({ kind: "asking", error: expect.any(UnreachableError) });
  master.session.mockResolvedValue(session);
  expect(await other.session()).toBe(session);
});

/** A service whose answers are given by hand; what was sent is kept. */
function serviceWith(...statuses: number[]) {
  const sent: { method: string; csrf: string | null }[] = [];
  vi.stubGlobal("fetch", (_: string, { method, headers }: RequestInit) => {
    sent.push({ method: method ?? "", csrf: new Headers(headers).get("X-CSRF-Token") });
    return Promise.resolve(new Response("{}", { status: statuses.shift() ?? 200 }));
  });
  return sent;
}

test("G11: each request that changes something carries the token of the session; a question does not", async () => {
  const sent = serviceWith();
  for (const service of [new Service("master", "", keeper.atMaster), new Service("log-ingester", "", keeper.atIngester)]) {
    for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"] as const) await service.request("/x", { method });
  }
  expect(sent.map(({ csrf }) => csrf)).toEqual([null, "one", "one", "one", "one", null, "one", "one", "one", "one"]);
});

test("a 401 of the log-ingester has the cookie renewed and is asked once more, not for ever", async () => {
  const ingester = new Service("log-ingester", "", keeper.atIngester);
  let sent = serviceWith(401);
  await ingester.request("/x");
  expect(sent).toHaveLength(2);
  expect(master.access).toHaveBeenCalledTimes(2);
  sent = serviceWith(401, 401);
  await expect(ingester.request("/x")).rejects.toMatchObject({ status: 401 });
  expect(sent).toHaveLength(2);
  expect(keeper.state().kind).toBe("open");
});

test("a 401 of the master ends the session", async () => {
  serviceWith(401);
  await expect(new Service("master", "", keeper.atMaster).request("/x")).rejects.toMatchObject({ status: 401 });
  expect(keeper.state()).toEqual({ kind: "over", last: session });
});

test("who logged in anew in another window has the command sent once more with the new token", async () => {
  session = { ...session, csrf: "two" };
  const sent = serviceWith(403);
  await new Service("master", "", keeper.atMaster).request("/x", { method: "POST" });
  expect(sent.map(({ csrf }) => csrf)).toEqual(["one", "two"]);
});

test("what a role may not do is refused once, and the roles are asked for anew", async () => {
  session = { ...session, grants: { "*": "viewer" } };
  const sent = serviceWith(403);
  await expect(new Service("master", "", keeper.atMaster).request("/x", { method: "POST" })).rejects.toMatchObject({ status: 403 });
  expect(sent).toHaveLength(1);
  expect(keeper.state()).toMatchObject({ session: { grants: { "*": "viewer" } } });
  await keeper.access();
  expect(master.access).toHaveBeenCalledTimes(2); // so that the log-ingester hears of it too
});

test("the way to the login leads back", () => {
  expect(loginPath({ pathname: "/jobs", search: "?q=a&tag=b" })).toBe("/login?next=%2Fjobs%3Fq%3Da%26tag%3Db");
});
