// @vitest-environment jsdom
import { cleanup, configure, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { App } from "../App";
import { keeper, queryClient } from "../api/services";
import type { Execution, Frame, Job, Problem, Session } from "../api/types";

const JOB_ID = "0198a1b2-7c3d-7e4f-8a5b-000000000001";
const RUN_ID = `${JOB_ID}.t1.1`;
const LOGGED_OUT: Problem = { title: "not logged in", status: 401, detail: "no cookie" };

const session: Session = {
  user: "ada", display_name: "Ada", grants: { "*": "admin" }, how: "session", csrf: "of this session", expires_at: null,
};

const job: Job = {
  job_id: JOB_ID, version: 3, spec: { name: "backup", run: { argv: ["tar", "a file"] }, schedule: { every: "1h" } },
  anchor: "2026-01-01T00:00:00Z", position: 1, created_at: "2026-01-01T00:00:00Z", updated_at: "2026-01-01T00:00:00Z",
  updated_by: "ada", next_tick: new Date(Date.now() + 65_500).toISOString(), schedule_text: "every 1h", schedule_words: "every 1 h",
};

const run: Execution = {
  execution_id: RUN_ID, job_id: JOB_ID, job_name: "backup", namespace: "default", job_version: 3, trigger: "tick",
  due_at: "2026-01-01T00:00:00Z", attempt: 1, worker_id: "worker-1", claimed_at: "2026-01-01T00:00:00Z",
  fencing_token: 1, status: "failed", host: "host", pid: 7, started_at: "2026-01-01T00:00:00.012Z",
  finished_at: "2026-01-01T00:00:02.512Z", exit_code: 2, signal: null, error: "", output_chunks: 2, cpu_user_s: 0.1,
  cpu_system_s: 0, max_rss_bytes: 1024, output_cut_bytes: 0,
};

type Answer = { status: number; body: unknown; lostFirst?: boolean } | "unreachable";
let answers: Record<string, Answer>; // by method and path
let commands: { path: string; key: string | null }[]; // but those that keep the session

const ok = (body: unknown): Answer => ({ status: 200, body });
const refused = (problem: Problem): Answer => ({ status: problem.status, body: problem });

// The first import of a page takes a moment, which is not what these tests are about.
beforeAll(async () => {
  configure({ asyncUtilTimeout: 5000 });
  await Promise.all([import("./jobs/JobsPage"), import("./job/JobPage"), import("./run/RunPage")]);
}, 60_000);

beforeEach(async () => {
  commands = [];
  answers = {
    "GET /api/v1/session": ok(session),
    "POST /api/v1/session/access": ok({ token: "t", expires_at: new Date(Date.now() + 600_000).toISOString() }),
    "GET /api/v1/info": ok({ version: "1.2.3", log_ingester_url: "http://ingester.test" }),
    "GET /api/v1/jobs": ok({ jobs: [job], total: 1, next_cursor: null }),
    [`GET /api/v1/jobs/${JOB_ID}`]: ok(job),
    [`POST /api/v1/jobs/${JOB_ID}/run`]: { status: 202, body: { execution_id: RUN_ID, job_id: JOB_ID } },
    [`POST /api/v1/jobs/${JOB_ID}/pause`]: ok(job),
    "GET /api/v1/jobs/facets": ok({ namespaces: [], tags: [], states: [] }),
    "GET /api/v1/executions/recent": ok({ jobs: [{ job_id: JOB_ID, runs: [run] }] }),
    "GET /api/v1/executions": ok({ executions: [run], next_cursor: null }),
    [`GET /api/v1/executions/${RUN_ID}`]: ok(run),
    "GET /api/v1/ticks/skipped": ok({ ticks: [] }),
  };
  vi.stubGlobal("fetch", answer);
  vi.stubGlobal("WebSocket", HandSocket);
  vi.stubGlobal("ResizeObserver", StillObserver);
  vi.stubGlobal("matchMedia", () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
  HandSocket.opened = [];
  queryClient.clear();
  await keeper.refresh();
});

afterEach(cleanup);

function answer(address: string, init: RequestInit): Promise<Response> {
  const { pathname } = new URL(address, "http://master.test");
  const method = init.method ?? "GET";
  const headers = new Headers(init.headers);
  if (method !== "GET") expect(headers.get("X-CSRF-Token"), pathname).toBe(session.csrf);
  if (method === "POST" && !pathname.startsWith("/api/v1/session/")) commands.push({ path: pathname, key: headers.get("Idempotency-Key") });
  const given = answers[`${method} ${pathname}`];
  if (!given || given === "unreachable") return Promise.reject(new TypeError("Failed to fetch"));
  if (given.lostFirst) {
    given.lostFirst = false;
    return Promise.reject(new TypeError("Failed to fetch"));
  }
  return Promise.resolve(new Response(JSON.stringify(given.body), { status: given.status }));
}

/** A websocket whose other end is the test. */
class HandSocket {
  static opened: HandSocket[] = [];
  onmessage: ((message: { data: string }) => void) | null = null;
  onclose: ((end: { code: number }) => void) | null = null;
  onopen: (() => void) | null = null;
  readonly address: string;

  constructor(address: string) {
    this.address = address;
    HandSocket.opened.push(this);
  }

  /** The last one that follows a run; the feed is another. */
  static ofRun(): HandSocket {
    const socket = HandSocket.opened.findLast(({ address }) => address.includes("/ws/executions/"));
    if (!socket) throw new Error("no run is followed");
    return socket;
  }

  send(frame: Frame): void {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  close(): void {}
}

class StillObserver {
  observe(): void {}
  unobserve(): void {}
  disconnect(): void {}
}

function open(path: string): void {
  window.history.replaceState(null, "", path);
  render(<App />);
}

test("the list shows a job with its next tick and how it ended last", async () => {
  open("/jobs");
  const row = (await screen.findByRole("link", { name: "backup" })).closest("tr")!;
  expect(within(row).getByText("every 1 h")).toBeTruthy();
  expect(within(row).getByText(/^in 1m 0\ds$/)).toBeTruthy();
  const last = await within(row).findByRole("link", { name: /Failed.*2\.5 s/ });
  expect(last.getAttribute("href")).toBe(`/runs/${RUN_ID}`);
});

test("no jobs: the page says how to add one", async () => {
  answers["GET /api/v1/jobs"] = ok({ jobs: [], total: 0, next_cursor: null });
  open("/jobs");
  expect(await screen.findByText("dcron job apply -f examples/hello.yaml")).toBeTruthy();
});

test("G11: without a login the page shows the way to it and back", async () => {
  answers["GET /api/v1/jobs"] = refused(LOGGED_OUT);
  open("/jobs?q=a%26b");
  expect((await screen.findByRole("alert")).textContent).toContain("Not logged in");
  const [link] = await screen.findAllByRole("link", { name: "Log in" });
  expect(link?.getAttribute("href")).toBe("/login?next=%2Fjobs%3Fq%3Da%2526b");
});

test("G11: what a viewer may not do is not offered; what is refused all the same is told in the master's words", async () => {
  answers["GET /api/v1/session"] = ok({ ...session, grants: { default: "viewer" } });
  await keeper.refresh();
  open("/jobs");
  const row = (await screen.findByRole("link", { name: "backup" })).closest("tr")!;
  expect(within(row).queryAllByRole("button")).toEqual([]);
  expect(screen.queryByRole("link", { name: "New job" })).toBeNull();
  fireEvent.click(within(row).getByRole("checkbox"));
  const bar = await screen.findByRole("toolbar", { name: "Chosen jobs" });
  expect(within(bar).getAllByRole("button").map(({ textContent }) => textContent)).toEqual(["Clear"]);
  expect(bar.textContent).toContain("You are no operator in default");
});

test("a master that does not answer is named", async () => {
  answers["GET /api/v1/jobs"] = "unreachable";
  open("/jobs");
  expect((await screen.findByRole("alert")).textContent).toContain("The master does not answer");
});

test("G10: with the log-ingester down the jobs are still there", async () => {
  answers["GET /api/v1/executions/recent"] = "unreachable";
  open("/jobs");
  expect(await screen.findByText(/The log-ingester does not answer/)).toBeTruthy();
  expect(screen.getByRole("link", { name: "backup" })).toBeTruthy();
});

test("Pause sends one command with a key, and a refusal is shown with its reason", async () => {
  answers[`POST /api/v1/jobs/${JOB_ID}/pause`] = refused({ title: "not possible", status: 409, detail: "it is gone" });
  open("/jobs");
  fireEvent.click(await screen.findByRole("button", { name: "Pause: backup" }));
  expect(await screen.findByText("Not possible: it is gone")).toBeTruthy();
  expect(commands).toEqual([{ path: `/api/v1/jobs/${JOB_ID}/pause`, key: expect.stringMatching(/^[0-9a-f-]{36}$/) }]);
});

test("a command whose answer is lost is sent again under the same key", async () => {
  answers[`POST /api/v1/jobs/${JOB_ID}/pause`] = { status: 200, body: job, lostFirst: true };
  open("/jobs");
  fireEvent.click(await screen.findByRole("button", { name: "Pause: backup" }));
  expect(await screen.findByText("backup is paused.")).toBeTruthy();
  expect(commands).toHaveLength(2);
  expect(commands[1]?.key).toBe(commands[0]?.key);
});

test("the search is sent to the master and kept in the address", async () => {
  open("/jobs");
  await screen.findByRole("link", { name: "backup" });
  answers["GET /api/v1/jobs"] = ok({ jobs: [], total: 0, next_cursor: null });
  fireEvent.change(screen.getByRole("searchbox", { name: "Search jobs" }), { target: { value: "x" } });
  expect(await screen.findByText("No job matches “x”")).toBeTruthy();
  expect(window.location.search).toBe("?q=x");
});

test("a job's page shows its facts, its command and its runs; Run now leads to the run", async () => {
  open(`/jobs/${JOB_ID}`);
  expect(await screen.findAllByText("tar 'a file'")).toBeTruthy();
  const runs = await screen.findByRole("region", { name: "Runs" });
  expect(within(runs).getByText("Failed")).toBeTruthy();
  expect(within(runs).getByText("+12 ms")).toBeTruthy();
  fireEvent.click(screen.getByRole("button", { name: "Run now" }));
  const dialog = await screen.findByRole("dialog", { name: "Run backup now?" });
  expect(commands).toEqual([]);
  fireEvent.click(within(dialog).getByRole("button", { name: "Run now" }));
  await waitFor(() => expect(window.location.pathname).toBe(`/runs/${RUN_ID}`));
});

test("an unknown job is told in the master's words", async () => {
  answers[`GET /api/v1/jobs/${JOB_ID}`] = refused({ title: "no such job", status: 404, detail: "there is no job 1" });
  open(`/jobs/${JOB_ID}`);
  expect(await screen.findByText("there is no job 1")).toBeTruthy();
});

test("G9: a run's output appears as it is written, as text, and its end is shown", async () => {
  open(`/runs/${RUN_ID}`);
  const socket = await waitFor(() => HandSocket.ofRun());
  expect(socket.address).toBe(`ws://ingester.test/ws/executions/${RUN_ID}?from_seq=0`);
  socket.send({ frame: "state", execution: { ...run, status: "running", finished_at: null, exit_code: null } });
  expect(await screen.findByText("Live")).toBeTruthy();
  socket.send({ frame: "output", chunk: { seq: 0, stream: "stdout", at: run.due_at, text: "<b>not " } });
  socket.send({ frame: "output", chunk: { seq: 1, stream: "stdout", at: run.due_at, text: "markup</b>\n" } });
  expect(await screen.findByText("<b>not markup</b>")).toBeTruthy();
  socket.send({ frame: "finished", execution: run });
  expect(await screen.findByText("Complete")).toBeTruthy();
  expect(screen.getAllByText("Failed").length).toBeGreaterThan(0);
  expect(document.title).toBe("backup: Failed · dcron");
});

test("a run that is not recorded yet is waited for", async () => {
  answers[`GET /api/v1/executions/${RUN_ID}`] = refused({ title: "no such execution", status: 404 });
  open(`/runs/${RUN_ID}`);
  (await waitFor(() => HandSocket.ofRun())).onclose?.({ code: 1006 });
  expect(await screen.findByText("Waiting for a worker")).toBeTruthy();
});

test("an address that is no page says so", () => {
  open("/nowhere");
  expect(screen.getByText("There is no such page")).toBeTruthy();
});

const TOKEN = { token_id: "t1", user: "ada", name: "backup box", grants: null, created_at: job.created_at, expires_at: "2100-01-01T00:00:00Z", last_used_on: "" };

test("G11: a token is shown once, when it is made", async () => {
  answers["GET /api/v1/tokens"] = ok({ tokens: [TOKEN] });
  answers["POST /api/v1/tokens"] = { status: 201, body: { token: "dcron_text", made: TOKEN } };
  open("/account");
  fireEvent.click(await screen.findByRole("button", { name: "New token" }));
  fireEvent.change(await screen.findByRole("textbox", { name: "Name" }), { target: { value: "backup box" } });
  fireEvent.click(screen.getByRole("button", { name: "Make the token" }));
  expect((await screen.findByRole<HTMLInputElement>("textbox", { name: "Token" })).value).toBe("dcron_text");
  fireEvent.click(screen.getByRole("button", { name: "I have it" }));
  await waitFor(() => expect(screen.queryByDisplayValue("dcron_text")).toBeNull());
  expect(await screen.findByRole("button", { name: "Revoke: backup box" })).toBeTruthy();
});

test("G11: a secret's value is sent, and stands nowhere on the page afterwards", async () => {
  const secret = { namespace: "default", name: "PASSWORD", updated_at: job.created_at, updated_by: "ada" };
  answers["GET /api/v1/secrets"] = ok({ secrets: [secret] });
  answers["PUT /api/v1/secrets/default/PASSWORD"] = ok(secret);
  open("/secrets");
  fireEvent.click(await screen.findByRole("button", { name: "Replace the value: PASSWORD" }));
  const value = await screen.findByLabelText<HTMLInputElement>(/^Value/);
  expect([value.type, value.value]).toEqual(["password", ""]);
  fireEvent.change(value, { target: { value: "hunter2" } });
  fireEvent.click(screen.getByRole("button", { name: "Replace" }));
  expect(await screen.findByText(/PASSWORD has a new value/)).toBeTruthy();
  expect(document.documentElement.innerHTML).not.toContain("hunter2");
  expect(screen.getByText("${secret:PASSWORD}")).toBeTruthy();
});

test("G11: users are for administrators; others are told what they lack", async () => {
  answers["GET /api/v1/session"] = ok({ ...session, grants: { "*": "editor" } });
  await keeper.refresh();
  open("/users");
  expect(await screen.findByText("This needs the role admin for the whole system. An admin can grant it.")).toBeTruthy();
});
