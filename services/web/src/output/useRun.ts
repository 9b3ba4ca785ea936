import { useEffect, useState, useSyncExternalStore } from "react";
import type { RunOutput } from "../api/ingester";
import { type Followed, RunFollower } from "./follower";
import type { LineBuffer } from "./lines";

const NOTHING: Followed = { connection: { kind: "connecting" }, execution: null, revision: 0 };

/** Follow a run while the component is there; renders at most once a frame, however much is written. */
export function useRun(source: RunOutput): { followed: Followed; buffer: LineBuffer | null } {
  const [run, setRun] = useState<FollowedRun | null>(null);
  useEffect(() => {
    const created = new FollowedRun(source);
    setRun(created);
    return () => created.stop();
  }, [source]);
  const followed = useSyncExternalStore(run?.subscribe ?? subscribeToNothing, run?.snapshot ?? (() => NOTHING));
  return { followed, buffer: run?.follower.buffer ?? null };
}

class FollowedRun {
  readonly follower: RunFollower;
  #listener: (() => void) | null = null;
  #frame = 0;

  constructor(source: RunOutput) {
    this.follower = new RunFollower(source, () => this.#schedule());
    this.follower.start();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listener = listener;
    return () => {
      this.#listener = null;
    };
  };

  readonly snapshot = (): Followed => this.follower.state;

  stop(): void {
    cancelAnimationFrame(this.#frame);
    this.follower.stop();
  }

  #schedule(): void {
    if (this.#frame) return;
    this.#frame = requestAnimationFrame(() => {
      this.#frame = 0;
      this.#listener?.();
    });
  }
}

const subscribeToNothing = (): (() => void) => () => undefined;
