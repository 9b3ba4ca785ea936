import type { FieldChange } from "../api/types";

interface Props {
  changes: readonly FieldChange[];
  before: string; // what the columns are called
  after: string;
}

/** Definitions compared, field by field. Values are text, whatever they hold. */
export function FieldChanges({ changes, before, after }: Props) {
  if (changes.length === 0) return <p className="table-note">Nothing is different.</p>;
  return (
    <table className="table field-changes">
      <thead>
        <tr>
          <th scope="col">Field</th>
          <th scope="col">{before}</th>
          <th scope="col">{after}</th>
        </tr>
      </thead>
      <tbody>
        {changes.map((change) => (
          <tr key={change.field}>
            <th scope="row">
              <code>{change.field}</code>
            </th>
            <td data-name={before}>
              <Value value={change.before} kind="removed" />
            </td>
            <td data-name={after}>
              <Value value={change.after} kind="added" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Value({ value, kind }: { value: unknown; kind: "removed" | "added" }) {
  if (value === null || value === undefined) return <span className="muted">–</span>;
  return <pre className={`change change-${kind}`}>{typeof value === "string" ? value : JSON.stringify(value, null, 1)}</pre>;
}
