import type { Job } from "../../api/types";
import { leaves } from "./leaves";

/** Every field of the definition that is not at its default. */
export function Definition({ job }: { job: Job }) {
  return (
    <section className="panel" aria-label="Definition">
      <table className="table field-values">
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Value</th>
          </tr>
        </thead>
        <tbody>
          {[...leaves(job.spec)].map(([field, value]) => (
            <tr key={field}>
              <th scope="row">
                <code>{field}</code>
              </th>
              <td>
                <pre>{typeof value === "string" ? value : JSON.stringify(value, null, 1)}</pre>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="table-note">What is not named has its default.</p>
    </section>
  );
}
