import type { FieldChange } from "../api/types";

interface Props {
  changes: readonly (Omit<FieldChange, "before" | "after"> & { before?: unknown; after?: unknown })[];
  caption: string;
  columns?: readonly [before: string, after: string]; // shown above the values; without, they are only said
}

/** What changed in a definition, field by field: before and after, each as it is written in JSON. */
export function Changes({ changes, caption, columns }: Props) {
  if (changes.length === 0) return <p className={columns ? "table-note" : "muted"}>No field changed.</p>;
  const [before, after] = columns ?? ["Before", "After"];
  return (
    <table className={columns ? "table changes changes-wide" : "changes"}>
      <caption className="visually-hidden">{caption}</caption>
      <thead className={columns ? "" : "visually-hidden"}>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">{before}</th>
          <th scope="col">{after}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, before: was, after: is }) => (
          <tr key={field}>
            <th scope="row">
              <code>{field}</code>
            </th>
            <td>{isNothing(was) ? <Nothing value={was} /> : <del>{valueText(was)}</del>}</td>
            <td>{isNothing(is) ? <Nothing value={is} /> : <ins>{valueText(is)}</ins>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** In place of a value that nobody would see: a field that is not set, or an empty text or list. */
export function Nothing({ value }: { value: unknown }) {
  return <span className="muted">{isAbsent(value) ? "not set" : "empty"}</span>;
}

const isAbsent = (value: unknown): boolean => value === null || value === undefined;
export const isNothing = (value: unknown): boolean =>
  isAbsent(value) || value === "" || (Array.isArray(value) && value.length === 0);

/** A text as it is; anything else as JSON. */
export function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
