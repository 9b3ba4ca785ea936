import { useCallback, useEffect, useState } from "react";
import type { Line } from "./lines";
import { LineSearch } from "./search";

export interface Found {
  sought: string; // in small letters
  count: number;
  busy: boolean;
  at: number; // which match was gone to; -1: none yet
  place: number | null; // where that is in the buffer
  go(step: 1 | -1): number | null; // to the next one or the one before; returns its place
  changed(from: number): void; // what is from that place on is not as it was
}

/** Search in the lines while they come; `revision` grows with every change of them. */
export function useLineSearch(text: string, lines: readonly Line[], revision: number): Found {
  const [search, setSearch] = useState(() => new LineSearch(text));
  const [seen, setSeen] = useState({ count: 0, busy: false });
  const [at, setAt] = useState(-1);
  if (search.text !== text) {
    setSearch(new LineSearch(text));
    setAt(-1);
  }

  useEffect(() => {
    if (search.text === "") return setSeen({ count: 0, busy: false });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const work = (): void => {
      const busy = search.step(lines);
      setSeen({ count: search.matches.length, busy });
      if (busy) timer = setTimeout(work);
    };
    work();
    return () => clearTimeout(timer);
  }, [search, lines, revision]);

  const go = (step: 1 | -1): number | null => {
    const { length } = search.matches;
    if (length === 0) return null;
    const next = at < 0 ? (step > 0 ? 0 : length - 1) : (at + step + length) % length;
    setAt(next);
    return search.matches[next] ?? null;
  };
  const changed = useCallback((from: number) => search.changed(from), [search]);
  return { sought: text.toLowerCase(), ...seen, at, place: at < 0 ? null : (search.matches[at] ?? null), go, changed };
}
