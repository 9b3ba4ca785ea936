import type { Preview } from "../../api/types";
import { Icon } from "../../components/icons";
import { formatAbsolute } from "../../time/instant";
import { useEditing } from "./DraftContext";
import { localText, offsetText, tickText, VIEWERS_ZONE } from "./ticks";
import { SHOWN_TICKS, useSchedulePreview } from "./useChecked";

/** The schedule in words, beside the field in which it is written. */
export function ScheduleWords() {
  const { draft, jobId } = useEditing();
  const { data, error } = useSchedulePreview(draft, jobId);
  if (draft["schedule"] === undefined) return null;
  return (
    <p className="edit-words" aria-live="polite">
      {!error && data?.words}
    </p>
  );
}

/** What the schedule comes to: the next ticks in both zones, what is left out, and the nights when the clock changes. */
export function SchedulePreview() {
  const { draft, jobId } = useEditing();
  const { data, error } = useSchedulePreview(draft, jobId);
  const hasSchedule = draft["schedule"] !== undefined;
  return (
    <section className="panel edit-aside" aria-labelledby="edit-ticks">
      <h2 id="edit-ticks">Next ticks</h2>
      {!hasSchedule && <p className="muted">None: no schedule is set.</p>}
      {hasSchedule && error && <p className="muted">They are shown as soon as the schedule is right.</p>}
      {hasSchedule && !error && data && <Ticks preview={data} />}
    </section>
  );
}

function Ticks({ preview }: { preview: Preview }) {
  const { ticks, timezone, excluded, odd_dates: oddDates } = preview;
  return (
    <>
      <p className="edit-words">{preview.words}</p>
      {ticks.length === 0 && <p className="muted">There are none any more.</p>}
      {ticks.length > 0 && <TickTable ticks={ticks} zone={timezone} />}
      {ticks.length > 0 && ticks.length < SHOWN_TICKS && <p className="edit-help">Then no more.</p>}
      {preview.depends_on_job && <p className="edit-help">H and jitter differ from job to job: a new one gets ticks of its own.</p>}
      {excluded.length > 0 && (
        <ul className="edit-notes" aria-label="Left out">
          {excluded.map(({ first, count, detail, reason }) => (
            <li key={`${first}${reason}`}>
              {count || "Many"} left out from {localOf(first, timezone)}: {detail}
            </li>
          ))}
        </ul>
      )}
      {oddDates.length > 0 && (
        <ul className="edit-notes edit-odd" aria-label="Clock changes">
          {oddDates.map(({ at, clock, effect }) => (
            <li key={at}>
              <Icon name="clock" />
              <span>
                <strong>{clock}</strong> {effect}
              </span>
            </li>
          ))}
        </ul>
      )}
    </>
  );
}

const localOf = (instant: string, zone: string): string => formatAbsolute(instant, zone).slice(0, 16);

function TickTable({ ticks, zone }: { ticks: Preview["ticks"]; zone: string }) {
  const both = zone !== VIEWERS_ZONE;
  return (
    <table className="edit-ticks">
      <thead>
        <tr>
          <th scope="col">{zone}</th>
          {both && <th scope="col">Yours, {VIEWERS_ZONE}</th>}
        </tr>
      </thead>
      <tbody>
        {ticks.map(({ at, local }, index) => (
          <tr key={at}>
            <td>
              <time dateTime={at}>{localText(local)}</time>
              {isMoved(ticks, index) && <span className="edit-moved">{offsetText(local)}</span>}
            </td>
            {both && (
              <td className="muted">
                <time dateTime={at}>{tickText(at, VIEWERS_ZONE)}</time>
              </td>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Whether the clock was changed since the tick before. */
function isMoved(ticks: Preview["ticks"], index: number): boolean {
  const [before, now] = [ticks[index - 1], ticks[index]];
  return before !== undefined && now !== undefined && offsetText(before.local) !== offsetText(now.local);
}
