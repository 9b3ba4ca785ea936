import type { FieldChange } from "../api/types";

/** What changed in a definition, field by field: before and after, each as it is written in JSON. */
export function Changes({ changes, caption }: { changes: readonly FieldChange[]; caption: string }) {
  if (changes.length === 0) return <p className="muted">No field changed.</p>;
  return (
    <table className="changes">
      <caption className="visually-hidden">{caption}</caption>
      <thead className="visually-hidden">
        <tr>
          <th scope="col">Field</th>
          <th scope="col">Before</th>
          <th scope="col">After</th>
        </tr>
      </thead>
      <tbody>
        {changes.map(({ field, before, after }) => (
          <tr key={field}>
            <th scope="row">
              <code>{field}</code>
            </th>
            <td>{isNothing(before) ? <Nothing value={before} /> : <del>{valueText(before)}</del>}</td>
            <td>{isNothing(after) ? <Nothing value={after} /> : <ins>{valueText(after)}</ins>}</td>
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
