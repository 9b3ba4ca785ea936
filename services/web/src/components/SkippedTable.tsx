import type { SkippedTick } from "../api/types";
import { formatAbsolute } from "../time/instant";
import { reasonText } from "./words";

const SHOWN = 20;

/** Ticks that did not run, and why; newest first. */
export function SkippedTable({ ticks }: { ticks: SkippedTick[] }) {
  return (
    <div className="panel">
      <table className="table skipped-table">
        <thead>
          <tr>
            <th scope="col">Tick</th>
            <th scope="col">Count</th>
            <th scope="col">Reason</th>
          </tr>
        </thead>
        <tbody>
          {ticks.slice(0, SHOWN).map((skipped) => (
            <tr key={`${skipped.tick} ${skipped.reason}`}>
              <th scope="row">
                {formatAbsolute(skipped.tick)}
                {skipped.last_tick && <span className="detail">to {formatAbsolute(skipped.last_tick)}</span>}
              </th>
              <td data-name="Count">{skipped.count.toLocaleString("en")}</td>
              <td className="cell-reason">
                {reasonText(skipped.reason)}
                {skipped.detail && <span className="detail">{skipped.detail}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {ticks.length > SHOWN && <p className="table-note">The newest {SHOWN} are shown.</p>}
    </div>
  );
}
