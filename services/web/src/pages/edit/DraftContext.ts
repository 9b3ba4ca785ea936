import { createContext, useContext } from "react";
import type { FieldProblem } from "../../api/types";
import { type Draft, type Json, type Path, valueAt, withValue } from "./draft";
import { problemText } from "./problems";

interface Editing {
  draft: Draft;
  change(draft: Draft): void;
  problems: readonly FieldProblem[];
  jobId: string | undefined; // of the job that is edited; a new one has none yet
}

const DraftContext = createContext<Editing | null>(null);
export const DraftProvider = DraftContext.Provider;

export function useEditing(): Editing {
  const editing = useContext(DraftContext);
  if (!editing) throw new Error("a field stands outside the form");
  return editing;
}

/** One field of the draft: its value, how to change it, and what the server says is wrong with it. */
export function useField(place: string) {
  const { draft, change, problems } = useEditing();
  const path: Path = place.split(".");
  return {
    value: valueAt(draft, path),
    set: (value: Json | undefined) => change(withValue(draft, path, value)),
    error: problemText(problems, place),
  };
}
