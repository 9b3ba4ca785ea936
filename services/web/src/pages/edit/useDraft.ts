import { useState } from "react";
import type { Job } from "../../api/types";
import { differenceOf } from "./difference";
import type { Draft } from "./draft";

interface State {
  start: Draft; // what the draft began from
  version: number | null; // of that; null: of a job that is not there yet
  draft: Draft;
  edition: number; // another one each time that the draft is replaced as a whole
}

/** The draft and what it began from. As long as nothing is changed, it follows the job that is edited. */
export function useDraft(origin: Draft, latest: Job | null) {
  const [state, set] = useState<State>({ start: origin, version: latest?.version ?? null, draft: origin, edition: 0 });
  const { start, version, draft, edition } = state;
  const isChanged = differenceOf(start, draft).length > 0;

  const rebase = (onto: Draft, at: number, next: Draft): void =>
    set({ start: onto, version: at, draft: next, edition: edition + 1 });
  if (latest && version !== null && latest.version > version && !isChanged) {
    const newer = latest.spec as unknown as Draft;
    rebase(newer, latest.version, newer);
  }
  return { start, version, draft, edition, isChanged, change: (next: Draft) => set({ ...state, draft: next }), rebase };
}
