/** A definition as a list of its fields. */

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
