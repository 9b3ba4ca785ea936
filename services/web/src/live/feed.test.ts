import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { FeedFrame } from "../api/types";
import { Feed } from "./feed";

const frame: FeedFrame = { frame: "gap", missed: 3 };

let sockets: WebSocket[];
let feed: Feed;

function open(): Promise<WebSocket> {
  const socket = { close: vi.fn() } as unknown as WebSocket;
  sockets.push(socket);
  return Promise.resolve(socket);
}

const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
const opened = (): void => sockets.at(-1)!.onopen?.({} as Event);
const lose = (code = 1006): void => sockets.at(-1)!.onclose?.({ code } as CloseEvent);

beforeEach(async () => {
  vi.useFakeTimers();
  sockets = [];
  feed = new Feed(open);
  feed.start();
  await settle();
});

afterEach(() => {
  feed.stop();
  vi.useRealTimers();
});

test("a lost feed says so, and comes back by itself", async () => {
  opened();
  expect(feed.connection()).toEqual({ kind: "live" });
  lose();
  expect(feed.connection()).toEqual({ kind: "lost", attempt: 1 });
  await settle(10_000);
  expect(sockets).toHaveLength(2);
  lose();
  expect(feed.connection()).toEqual({ kind: "lost", attempt: 2 });
  await settle(10_000);
  opened();
  expect(feed.connection()).toEqual({ kind: "live" });
});

test("one that is closed because its access ran out comes back at once, without being called lost", async () => {
  opened();
  const kinds: string[] = [];
  feed.onConnection(() => kinds.push(feed.connection().kind));
  lose(4401);
  await settle();
  expect(sockets).toHaveLength(2);
  opened();
  expect(kinds).toEqual(["live"]);
  lose(4401);
  await settle();
  lose(4401); // closed before it was open: not for ever
  await settle();
  expect(feed.connection()).toEqual({ kind: "lost", attempt: 1 });
});

test("frames reach whoever listens, and nobody who has left", () => {
  const heard = vi.fn();
  const leave = feed.onFrame(heard);
  const send = () => sockets[0]!.onmessage?.({ data: JSON.stringify(frame) } as MessageEvent);
  send();
  leave();
  send();
  expect(heard.mock.calls).toEqual([[frame]]);
});

test("an address that cannot be had yet is asked for again", async () => {
  feed.stop();
  const failing = new Feed(() => Promise.reject(new Error("the master does not answer")));
  failing.start();
  await settle();
  expect(failing.connection()).toEqual({ kind: "lost", attempt: 1 });
  await settle(10_000);
  expect(failing.connection().kind === "lost" && failing.connection()).not.toEqual({ kind: "lost", attempt: 1 });
  failing.stop();
});

test("it waits no longer when the network is back", async () => {
  lose();
  feed.hurry();
  await settle();
  expect(sockets).toHaveLength(2);
});

test("nothing happens after it was stopped", async () => {
  feed.stop();
  lose();
  await settle(60_000);
  expect(sockets).toHaveLength(1);
});
