/** Two definitions compared field by field, as the master's history does it. */

import type { FieldChange, JobSpec } from "../../api/types";

/** What leads from one definition to another: a line for each field, objects by their parts, lists as a whole. */
export function specDiff(before: JobSpec | null, after: JobSpec | null): FieldChange[] {
  const from = leaves(before ?? {});
  const to = leaves(after ?? {});
  const fields = [...new Set([...from.keys(), ...to.keys()])].sort();
  return fields
    .map((field) => ({ field, before: from.get(field) ?? null, after: to.get(field) ?? null }))
    .filter((change) => JSON.stringify(change.before) !== JSON.stringify(change.after));
}

/** Every field of a definition that is not at its default, by its path. */
export function leaves(value: object, path = ""): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [name, part] of Object.entries(value)) {
    const field = path === "" ? name : `${path}.${name}`;
    if (part !== null && typeof part === "object" && !Array.isArray(part)) {
      for (const [deeper, leaf] of leaves(part as object, field)) found.set(deeper, leaf);
    } else if (part !== null) found.set(field, part as unknown);
  }
  return found;
}
