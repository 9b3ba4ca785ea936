import type { ReactNode } from "react";
import { Icon } from "./icons";

interface Props {
  by: string; // the name of the order, as in the address
  sort: string; // the order now; with a minus: backward
  onSort(sort: string): void;
  className?: string;
  children: ReactNode;
}

/** A column's head that sorts by it, and the other way round with the next click. */
export function SortHeader({ by, sort, onSort, className, children }: Props) {
  const forward = sort === by;
  const backward = sort === `-${by}`;
  return (
    <th scope="col" aria-sort={forward ? "ascending" : backward ? "descending" : "none"} className={className}>
      <button type="button" className="sort" onClick={() => onSort(forward ? `-${by}` : by)}>
        {children}
        {(forward || backward) && <Icon name={forward ? "up" : "down"} />}
      </button>
    </th>
  );
}
