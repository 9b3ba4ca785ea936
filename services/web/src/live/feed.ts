/**
 * The feed of every run's changes, as a websocket that comes back by itself, and at once when it is closed because
 * what it was opened with has run out.
 *
 * It knows nothing of React. What happened while it was lost is not sent later: whoever listens asks anew when
 * the connection is live again.
 */

import type { FeedFrame } from "../api/types";
import { backoffDelay } from "./backoff";

export const LOGIN_ENDED = 4401; // the code with which the log-ingester closes a socket whose access has run out

export type FeedConnection = { kind: "connecting" } | { kind: "live" } | { kind: "lost"; attempt: number };

export class Feed {
  readonly #open: () => Promise<WebSocket>;
  readonly #frameListeners = new Set<(frame: FeedFrame) => void>();
  readonly #stateListeners = new Set<() => void>();
  #connection: FeedConnection = { kind: "connecting" };
  #socket: WebSocket | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;

  /** `open` makes the socket; it may fail. */
  constructor(open: () => Promise<WebSocket>) {
    this.#open = open;
  }

  start(): void {
    this.#running = true;
    void this.#connect();
  }

  stop(): void {
    this.#running = false;
    clearTimeout(this.#timer);
    this.#drop();
  }

  /** Try at once, if it waits. */
  hurry(): void {
    if (!this.#running || this.#connection.kind !== "lost" || this.#socket) return;
    clearTimeout(this.#timer);
    void this.#connect();
  }

  readonly connection = (): FeedConnection => this.#connection;

  /** Hear of every change of the connection. Returns what ends it. */
  readonly onConnection = (listener: () => void): (() => void) => {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  };

  /** Hear every frame. Returns what ends it. */
  readonly onFrame = (listener: (frame: FeedFrame) => void): (() => void) => {
    this.#frameListeners.add(listener);
    return () => this.#frameListeners.delete(listener);
  };

  async #connect(): Promise<void> {
    let socket: WebSocket;
    try {
      socket = await this.#open();
    } catch {
      this.#lost();
      return;
    }
    if (!this.#running) {
      socket.close();
      return;
    }
    this.#socket = socket;
    let opened = false;
    socket.onopen = () => {
      if (socket !== this.#socket) return;
      opened = true;
      this.#set({ kind: "live" });
    };
    socket.onmessage = (message) => {
      const frame = readFrame(message.data);
      if (frame && socket === this.#socket) for (const listener of this.#frameListeners) listener(frame);
    };
    socket.onclose = ({ code }) => {
      if (socket !== this.#socket) return;
      if (code === LOGIN_ENDED && this.#connection.kind === "live" && opened) this.#again();
      else this.#lost();
    };
  }

  /** Open it anew; nothing is lost as long as that succeeds. */
  #again(): void {
    this.#drop();
    if (this.#running) void this.#connect();
  }

  #lost(): void {
    this.#drop();
    if (!this.#running) return;
    const attempt = this.#connection.kind === "lost" ? this.#connection.attempt + 1 : 1;
    this.#set({ kind: "lost", attempt });
    this.#timer = setTimeout(() => void this.#connect(), backoffDelay(attempt));
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  #set(connection: FeedConnection): void {
    this.#connection = connection;
    for (const listener of this.#stateListeners) listener();
  }
}

function readFrame(data: unknown): FeedFrame | null {
  try {
    return JSON.parse(String(data)) as FeedFrame;
  } catch {
    return null;
  }
}
