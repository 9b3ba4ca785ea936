import { useCallback, useEffect, useState } from "react";

export const POLL_MS = 2000;

export interface Polled<T> {
  data: T | null; // the last good answer; stays while later ones fail
  error: Error | null; // of the last attempt
  at: number | null; // when `data` came, in ms
  refresh(): void; // ask now
}

/**
 * Ask again and again while the page is in view, one request at a time. What was known stays until
 * something newer is known, also when another `ask` is given, so that nothing flickers; give the component
 * a `key` where the old answer must not be seen. `ask` must be stable (`useCallback`); `null` asks nothing.
 */
export function usePolled<T>(ask: ((signal: AbortSignal) => Promise<T>) | null, everyMs = POLL_MS): Polled<T> {
  const [answer, setAnswer] = useState<Omit<Polled<T>, "refresh">>({ data: null, error: null, at: null });
  const [round, setRound] = useState(0);
  const refresh = useCallback(() => setRound((n) => n + 1), []);

  useEffect(() => {
    if (!ask) return;
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const poll = async (): Promise<void> => {
      const result = await ask(stop.signal).then(
        (data) => ({ data, error: null, at: Date.now() }),
        (error: Error) => ({ error }),
      );
      if (stop.signal.aborted) return;
      setAnswer((known) => ({ ...known, ...result }));
      if (!document.hidden) timer = setTimeout(() => void poll(), everyMs);
    };
    void poll();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [ask, everyMs, round]);

  useEffect(() => {
    const seenAgain = (): void => {
      if (!document.hidden) refresh();
    };
    document.addEventListener("visibilitychange", seenAgain);
    return () => document.removeEventListener("visibilitychange", seenAgain);
  }, [refresh]);

  return { ...answer, refresh };
}
