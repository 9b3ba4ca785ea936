/** Grants as rows of a form: a namespace may be typed twice or not yet, which grants cannot say. */

import type { Grants, Role } from "../api/types";

export interface GrantRow {
  id: number;
  namespace: string;
  role: Role;
}

export const rowsOf = (grants: Grants): GrantRow[] =>
  Object.entries(grants)
    .sort(([one], [other]) => one.localeCompare(other))
    .map(([namespace, role], id) => ({ id, namespace, role }));

/** What the rows say; a row without a namespace says nothing, of two with the same one the first counts. */
export function grantsOf(rows: readonly Omit<GrantRow, "id">[]): Grants {
  const named = rows.filter(({ namespace }) => namespace !== "").map(({ namespace, role }) => [namespace, role] as const);
  return Object.fromEntries(named.reverse());
}

export const added = (rows: readonly GrantRow[], namespace: string): GrantRow[] => [
  ...rows,
  { id: Math.max(-1, ...rows.map(({ id }) => id)) + 1, namespace, role: "viewer" },
];

/** Whether the row names a namespace that one above it does. */
export const isTwice = (rows: readonly GrantRow[], { id, namespace }: GrantRow): boolean =>
  namespace !== "" && rows.find((row) => row.namespace === namespace)?.id !== id;
