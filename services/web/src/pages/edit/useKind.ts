import { useState } from "react";
import type { Draft } from "./draft";
import { useEditing } from "./DraftContext";
import { kindOf, type Part, switched } from "./kinds";

/** The kind of `part` that is shown, and how to choose another. */
export function useKind(part: Part, first: string): [string, (kind: string) => void] {
  const { draft, change } = useEditing();
  const [chosen, choose] = useState(first);
  const [kept, keep] = useState<Draft>({});
  const select = (kind: string): void => {
    const next = switched(draft, kept, part, kind);
    choose(kind);
    keep(next.kept);
    change(next.draft);
  };
  return [kindOf(draft, part) ?? chosen, select];
}
