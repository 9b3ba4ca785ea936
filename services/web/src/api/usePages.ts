import { useState } from "react";

export interface Pages {
  cursor: string; // "": the first page
  number: number; // 1 for the first page
  next(cursor: string): void;
  previous(): void;
  first(): void;
}

/** Walk through a list that is read by cursors: remembers the way back. */
export function usePages(): Pages {
  const [way, setWay] = useState<string[]>([]);
  return {
    cursor: way.at(-1) ?? "",
    number: way.length + 1,
    next: (cursor) => setWay([...way, cursor]),
    previous: () => setWay(way.slice(0, -1)),
    first: () => setWay([]),
  };
}
