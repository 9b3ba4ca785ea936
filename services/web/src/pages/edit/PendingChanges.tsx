import { Changes } from "../../components/Changes";
import { differenceOf } from "./difference";
import type { Draft } from "./draft";
import { useEditing } from "./DraftContext";

interface Props {
  before: Draft | null; // null: nothing is there yet
  isCopy: boolean;
}

/** What saving would change, field by field. */
export function PendingChanges({ before, isCopy }: Props) {
  const { draft } = useEditing();
  if (before === null) return null;
  const title = isCopy ? "Differs from the original in" : "What saving changes";
  return (
    <section className="panel edit-aside" aria-labelledby="edit-changes">
      <h2 id="edit-changes">{title}</h2>
      <Changes changes={differenceOf(before, draft)} caption={title} />
    </section>
  );
}
