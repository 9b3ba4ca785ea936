import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { RefusedError, UnreachableError } from "../api/client";
import type { Chunk, Execution, Frame, OutputPage } from "../api/types";
import { backoffDelay } from "../live/backoff";
import { RunFollower, type RunSource } from "./follower";

const running = { execution_id: "e", status: "running", output_chunks: null, due_at: "d" } as Execution;
const finished: Execution = { ...running, status: "succeeded", output_chunks: 3, finished_at: "f" };
const chunk = (seq: number): Chunk => ({ seq, stream: "stdout", at: "", text: `line ${seq}\n` });
const notFound = new RefusedError({ title: "no such execution", status: 404 });

/** The log-ingester's part, played by hand. */
class Script implements RunSource {
  readonly sockets: { fromSeq: number; socket: WebSocket; closed: boolean }[] = [];
  execution = vi.fn<RunSource["execution"]>(() => Promise.resolve(running));
  output = vi.fn<RunSource["output"]>(() => Promise.resolve(page([], null)));

  open(fromSeq: number): Promise<WebSocket> {
    const entry = { fromSeq, closed: false, socket: {} as WebSocket };
    entry.socket.close = () => {
      entry.closed = true;
    };
    this.sockets.push(entry);
    return Promise.resolve(entry.socket);
  }

  send(...frames: Frame[]): void {
    const { socket } = this.sockets.at(-1)!;
    for (const frame of frames) socket.onmessage?.({ data: JSON.stringify(frame) } as MessageEvent);
  }

  lose(code = 1006): void {
    const { socket } = this.sockets.at(-1)!;
    socket.onclose?.({ code } as CloseEvent);
  }
}

const page = (chunks: Chunk[], next_seq: number | null): OutputPage => ({ execution_id: "e", chunks, next_seq });
const output = (seq: number): Frame => ({ frame: "output", chunk: chunk(seq) });
const state: Frame = { frame: "state", execution: running };

let script: Script;
let follower: RunFollower;
const shown = (): string[] => follower.buffer.lines.map((line) => line.text);
const upTo = (count: number): string[] => Array.from({ length: count }, (_, seq) => `line ${seq}`);
const settle = (ms = 0) => vi.advanceTimersByTimeAsync(ms);

beforeEach(async () => {
  vi.useFakeTimers();
  script = new Script();
  follower = new RunFollower(script, () => undefined);
  follower.start();
  await settle();
});

afterEach(() => {
  follower.stop();
  vi.useRealTimers();
});

describe("G9: a live viewer sees what is stored, once and in order", () => {
  test("from the first frame to the finished one", async () => {
    script.send(state, output(0), output(1), output(2));
    expect(follower.state).toMatchObject({ connection: { kind: "live" }, execution: running });
    script.send({ frame: "finished", execution: finished });
    await settle();
    expect(follower.state).toMatchObject({ connection: { kind: "finished" }, execution: finished });
    expect(shown()).toEqual(upTo(3));
    expect(script.sockets[0]?.closed).toBe(true);
  });

  test("chunks that come again are not shown again", () => {
    script.send(state, output(0), output(1), output(0), output(1), output(2));
    expect(shown()).toEqual(upTo(3));
  });

  test("a lost socket is opened again from where it was", async () => {
    script.send(state, output(0), output(1));
    script.lose();
    await settle();
    expect(follower.state.connection).toEqual({ kind: "lost", attempt: 1 });
    await settle(10_000);
    expect(script.sockets.map((entry) => entry.fromSeq)).toEqual([0, 2]);
    script.send(state, output(1), output(2));
    expect(follower.state.connection).toEqual({ kind: "live" });
    expect(shown()).toEqual(upTo(3));
  });

  test("one that was closed because its access ran out is opened again at once, and nothing is said", async () => {
    script.send(state, output(0));
    script.lose(4401);
    await settle();
    expect(script.execution).toHaveBeenCalledTimes(1); // which has the access renewed
    expect(script.sockets.map((entry) => entry.fromSeq)).toEqual([0, 1]);
    expect(follower.state.connection).toEqual({ kind: "live" });
    script.lose(4401); // without a frame in between: not for ever
    await settle();
    expect(follower.state.connection).toEqual({ kind: "lost", attempt: 2 });
  });

  test("a gap is fetched page by page, then the socket goes on behind it", async () => {
    script.output.mockResolvedValueOnce(page([chunk(1), chunk(2)], 3)).mockResolvedValueOnce(page([chunk(3)], null));
    script.send(state, output(0), { frame: "gap", from_seq: 1 });
    script.lose();
    await settle();
    expect(script.output.mock.calls.map(([fromSeq]) => fromSeq)).toEqual([1, 3]);
    expect(script.sockets.map((entry) => entry.fromSeq)).toEqual([0, 4]);
    expect(shown()).toEqual(upTo(4));
  });

  test("a chunk ahead of its turn is a gap too", async () => {
    script.output.mockResolvedValueOnce(page([chunk(1), chunk(2)], null));
    script.send(state, output(0), output(2));
    await settle();
    expect(shown()).toEqual(upTo(3));
  });

  test("a gap that cannot be filled is asked for more and more seldom", async () => {
    script.send(state, { frame: "gap", from_seq: 0 });
    await settle();
    expect(follower.state.connection).toEqual({ kind: "lost", attempt: 1 });
    expect(script.sockets).toHaveLength(1);
  });

  test("an end that knows of more output than came fetches the rest", async () => {
    script.output.mockResolvedValueOnce(page([chunk(1), chunk(2)], null));
    script.send(state, output(0), { frame: "finished", execution: finished });
    await settle();
    expect(shown()).toEqual(upTo(3));
    expect(follower.state.connection.kind).toBe("finished");
  });
});

describe("when the run cannot be followed", () => {
  test("a run not recorded yet is waited for", async () => {
    script.execution.mockRejectedValueOnce(notFound);
    script.lose();
    await settle();
    expect(follower.state.connection).toEqual({ kind: "waiting" });
    await settle(1000);
    script.send(state, output(0));
    expect(follower.state.connection).toEqual({ kind: "live" });
    expect(shown()).toEqual(["line 0"]);
  });

  test("a refusal is told, not tried again", async () => {
    const refusal = new RefusedError({ title: "not allowed", status: 403 });
    script.execution.mockRejectedValueOnce(refusal);
    script.lose();
    await settle(60_000);
    expect(follower.state.connection).toEqual({ kind: "refused", error: refusal });
    expect(script.sockets).toHaveLength(1);
  });

  test("a login that is over is waited for", async () => {
    script.execution.mockRejectedValueOnce(new RefusedError({ title: "not logged in", status: 401 }));
    script.send(state, output(0));
    script.lose(4401);
    await settle();
    expect(follower.state.connection).toEqual({ kind: "lost", attempt: 1 });
    await settle(1000);
    script.send(state, output(1));
    expect(shown()).toEqual(upTo(2));
  });

  test("an ingester that is down is tried again, and counts how often", async () => {
    script.execution.mockRejectedValue(new UnreachableError("log-ingester"));
    for (const attempt of [1, 2, 3]) {
      script.lose();
      await settle();
      expect(follower.state.connection).toEqual({ kind: "lost", attempt });
      await settle(10_000);
      expect(script.sockets).toHaveLength(attempt + 1);
    }
  });

  test("nothing happens after it was stopped", async () => {
    script.send(state);
    script.lose();
    follower.stop();
    await settle(60_000);
    expect(script.sockets).toHaveLength(1);
  });

  test("a frame that is no JSON is passed over", () => {
    const { socket } = script.sockets[0]!;
    socket.onmessage?.({ data: "<html>" } as MessageEvent);
    script.send(state, output(0));
    expect(shown()).toEqual(["line 0"]);
  });
});

test("the wait before each attempt doubles up to 10 s, less up to a quarter by chance", () => {
  expect([1, 2, 3, 4, 5, 6, 60].map((attempt) => backoffDelay(attempt, () => 0))).toEqual([
    500, 1000, 2000, 4000, 8000, 10_000, 10_000,
  ]);
  expect(backoffDelay(2, () => 1)).toBe(750);
});
