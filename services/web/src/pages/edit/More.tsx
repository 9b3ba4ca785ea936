import { type ReactNode, useState } from "react";
import { written } from "./draft";
import { useEditing } from "./DraftContext";
import { placeOf } from "./problems";

interface Props {
  title: string;
  places: readonly string[]; // what is inside
  children: ReactNode;
}

/** Fields that few jobs need. Open from the start where one of them is set, and as soon as one is wrong. */
export function More({ title, places, children }: Props) {
  const { draft, problems } = useEditing();
  const wrong = problems.some(({ field }) => places.includes(placeOf(field) ?? ""));
  const [opened, open] = useState(() => places.some((place) => written(draft, place.split(".")) !== undefined));
  return (
    <details className="edit-more" open={opened || wrong} onToggle={(event) => open(event.currentTarget.open)}>
      <summary>{title}</summary>
      <div className="edit-fields">{children}</div>
    </details>
  );
}
