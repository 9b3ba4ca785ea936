/**
 * Follows a run: its state and its output, as they are written, to the end.
 *
 * The websocket sends what is stored and then what is new. When it is lost it is opened again from where it
 * was, later each time; what comes twice is dropped by `seq`, and what was left out is fetched over HTTP.
 */

import { RefusedError } from "../api/client";
import type { Chunk, Execution, Frame, OutputPage } from "../api/types";
import { backoffDelay } from "../live/backoff";
import { LOGIN_ENDED } from "../live/feed";
import { LineBuffer } from "./lines";
import { Sequence } from "./sequence";

const UNAUTHORIZED = 401;
const NOT_FOUND = 404;
const WAITING_POLL_MS = 1_000;

/** What the follower needs of the log-ingester. */
export interface RunSource {
  open(fromSeq: number): Promise<WebSocket>;
  execution(signal: AbortSignal): Promise<Execution>;
  output(fromSeq: number, signal: AbortSignal): Promise<OutputPage>;
}

export type Connection =
  | { kind: "connecting" }
  | { kind: "waiting" } // nothing is recorded about the run yet
  | { kind: "live" }
  | { kind: "lost"; attempt: number } // trying again
  | { kind: "refused"; error: RefusedError } // given up
  | { kind: "finished" };

export interface Followed {
  readonly connection: Connection;
  readonly execution: Execution | null;
  readonly revision: number; // grows with every change, also of the buffer's lines
}

export class RunFollower {
  readonly buffer = new LineBuffer();
  readonly #sequence = new Sequence();
  readonly #source: RunSource;
  readonly #changed: () => void;
  readonly #stop = new AbortController();
  #state: Followed = { connection: { kind: "connecting" }, execution: null, revision: 0 };
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #attempt = 0;
  #refetching = false;

  /** `changed` is called after every change; look at `state` and `buffer` then. */
  constructor(source: RunSource, changed: () => void) {
    this.#source = source;
    this.#changed = changed;
  }

  get state(): Followed {
    return this.#state;
  }

  start(): void {
    void this.#connect();
  }

  stop(): void {
    this.#stop.abort();
    clearTimeout(this.#timer);
    this.#drop();
  }

  async #connect(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    let socket: WebSocket;
    try {
      socket = await this.#source.open(this.#sequence.next);
    } catch (error) {
      this.#failed(error);
      return;
    }
    if (this.#stop.signal.aborted) {
      socket.close();
      return;
    }
    this.#socket = socket;
    socket.onmessage = (message) => {
      const frame = readFrame(message.data);
      if (frame && socket === this.#socket) this.#take(frame);
    };
    socket.onclose = ({ code }) => {
      if (socket === this.#socket) void this.#closed(code === LOGIN_ENDED && this.#attempt === 0);
    };
  }

  #take(frame: Frame): void {
    this.#attempt = 0;
    switch (frame.frame) {
      case "state":
        this.#set({ execution: frame.execution, connection: { kind: "live" } });
        break;
      case "output":
        if (this.#show(frame.chunk) === "ahead") void this.#refetch();
        break;
      case "gap":
        void this.#refetch();
        break;
      case "finished":
        void this.#finish(frame.execution);
        break;
    }
  }

  #show(chunk: Chunk): "next" | "seen" | "ahead" {
    const verdict = this.#sequence.offer(chunk.seq);
    if (verdict === "next") {
      this.buffer.append(chunk);
      this.#set({});
    }
    return verdict;
  }

  /** Fetch what was left out, then listen anew: the socket does not know what is still missing. */
  async #refetch(): Promise<void> {
    if (this.#refetching) return;
    this.#refetching = true;
    this.#drop();
    const before = this.#sequence.next;
    try {
      await this.#fetchRest();
      if (this.#sequence.next > before) void this.#connect();
      else this.#retry({ kind: "lost", attempt: ++this.#attempt }, backoffDelay(this.#attempt));
    } catch (error) {
      this.#failed(error);
    } finally {
      this.#refetching = false;
    }
  }

  async #fetchRest(): Promise<void> {
    for (;;) {
      const before = this.#sequence.next;
      const page = await this.#source.output(before, this.#stop.signal);
      for (const chunk of page.chunks) this.#show(chunk);
      if (page.next_seq === null || this.#sequence.next === before) return;
    }
  }

  async #finish(execution: Execution): Promise<void> {
    this.#drop();
    this.#set({ execution });
    try {
      if (this.#sequence.next < (execution.output_chunks ?? 0)) await this.#fetchRest();
    } catch (error) {
      this.#failed(error);
      return;
    }
    this.buffer.end(execution.finished_at ?? execution.due_at);
    this.#set({ connection: { kind: "finished" } });
  }

  /** The socket is gone, and mostly does not tell why: ask over HTTP. `ranOut`: only what it was opened with has. */
  async #closed(ranOut: boolean): Promise<void> {
    this.#drop();
    try {
      const execution = await this.#source.execution(this.#stop.signal);
      this.#set({ execution });
      this.#attempt += 1;
      if (ranOut) void this.#connect();
      else this.#retry({ kind: "lost", attempt: this.#attempt }, backoffDelay(this.#attempt));
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    if (this.#stop.signal.aborted) return;
    if (error instanceof RefusedError && error.status === NOT_FOUND && !this.#state.execution) {
      this.#retry({ kind: "waiting" }, WAITING_POLL_MS);
    } else if (error instanceof RefusedError && error.status < 500 && error.status !== UNAUTHORIZED) {
      this.#set({ connection: { kind: "refused", error } });
    } else {
      this.#attempt += 1;
      this.#retry({ kind: "lost", attempt: this.#attempt }, backoffDelay(this.#attempt));
    }
  }

  #retry(connection: Connection, delay: number): void {
    if (this.#stop.signal.aborted) return;
    this.#set({ connection });
    this.#timer = setTimeout(() => void this.#connect(), delay);
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #set(change: Partial<Followed>): void {
    if (this.#stop.signal.aborted) return;
    this.#state = { ...this.#state, ...change, revision: this.#state.revision + 1 };
    this.#changed();
  }
}

function readFrame(data: unknown): Frame | null {
  try {
    return JSON.parse(String(data)) as Frame;
  } catch {
    return null;
  }
}
