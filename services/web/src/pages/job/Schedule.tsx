import { useQuery } from "@tanstack/react-query";
import { previewQuery } from "../../api/master";
import type { Job, Preview } from "../../api/types";
import { Icon } from "../../components/icons";
import { Empty, Ready } from "../../components/states";
import { reasonText } from "../../components/words";
import { formatAbsolute } from "../../time/instant";
import { dateIn, type Day, type Month, monthsOf } from "./calendar";

const TICKS = 100;
const LISTED = 10;
const MONTHS = 3;
const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** When a job runs: its next ticks, in a list and on a calendar, and what is odd about them. */
export function Schedule({ job }: { job: Job }) {
  const preview = useQuery(previewQuery(job.spec, TICKS, job.job_id));
  if (!job.spec.schedule) return <Empty title="It has no schedule"><p>It runs on request, or after other jobs.</p></Empty>;
  return <Ready query={preview}>{(data) => <ScheduleView job={job} preview={data} />}</Ready>;
}

function ScheduleView({ job, preview }: { job: Job; preview: Preview }) {
  const months = monthsOf(preview, dateIn(preview.timezone, Date.now()), MONTHS);
  return (
    <div className="schedule">
      {job.spec.enabled === false && <p className="table-note">The job is paused: this is when it would run.</p>}
      <section className="panel schedule-months" aria-label="Calendar">
        {months.map((month) => (
          <MonthTable key={month.title} month={month} />
        ))}
      </section>
      <div className="schedule-lists">
        <section className="panel" aria-labelledby="next-ticks">
          <h2 id="next-ticks" className="panel-title">Next ticks</h2>
          {preview.ticks.length === 0 && <p className="table-note">There is none any more.</p>}
          <ol className="schedule-ticks number">
            {preview.ticks.slice(0, LISTED).map(({ at, local }) => (
              <li key={at}>
                <time dateTime={at}>{local.replace("T", " ")}</time>
                <span className="detail">{formatAbsolute(at)}</span>
              </li>
            ))}
          </ol>
        </section>
        <Oddities preview={preview} />
      </div>
    </div>
  );
}

function MonthTable({ month: { title, before, days } }: { month: Month }) {
  const places = [...Array.from({ length: before }, () => null), ...days];
  const weeks = Array.from({ length: Math.ceil(places.length / 7) }, (_, week) => places.slice(week * 7, week * 7 + 7));
  return (
    <table className="month">
      <caption>{title}</caption>
      <thead>
        <tr>
          {WEEKDAYS.map((name) => (
            <th key={name} scope="col" abbr={name}>
              {name.slice(0, 2)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {weeks.map((week, index) => (
          <tr key={index}>{week.map((day, place) => (day ? <DayCell key={day.date} day={day} /> : <td key={place} />))}</tr>
        ))}
      </tbody>
    </table>
  );
}

function DayCell({ day: { date, ticks, odd, state } }: { day: Day }) {
  const count = ticks.length;
  const words = `${date}: ${count === 0 ? "no tick" : count === 1 ? ticks[0] : `${count} ticks, ${ticks[0]} to ${ticks.at(-1)}`}`;
  return (
    <td className={`day day-${state}${count > 0 ? " day-ticks" : ""}${odd ? " day-odd" : ""}`}
      title={state === "beyond" ? `${date}: not worked out so far ahead` : `${words}${odd ? "; the clock is changed" : ""}`}>
      <span>{Number(date.slice(8))}</span>
      {count > 1 && <small>{count}</small>}
      {odd && <Icon name="alert" />}
      <span className="visually-hidden">{count > 0 && `${count} ticks`}{odd && " clock change"}</span>
    </td>
  );
}

function Oddities({ preview: { odd_dates, excluded } }: { preview: Preview }) {
  return (
    <section className="panel" aria-labelledby="odd-dates">
      <h2 id="odd-dates" className="panel-title">Clock changes and days of rest</h2>
      {odd_dates.length === 0 && excluded.length === 0 && (
        <p className="table-note">No clock change of the next year meets this schedule, and no day is left out.</p>
      )}
      <ul className="schedule-odd">
        {odd_dates.map(({ at, clock, kind, effect }) => (
          <li key={at}>
            <Icon name="alert" />
            <div>
              <strong>{clock}</strong> <span className="muted">{kind === "gap" ? "times are left out" : "times come twice"}</span>
              <span className="detail">{effect}</span>
            </div>
          </li>
        ))}
        {excluded.map(({ first, last, count, reason, detail }) => (
          <li key={first}>
            <Icon name="pause" />
            <div>
              <strong>{first.slice(0, 10)}{last.slice(0, 10) !== first.slice(0, 10) && ` to ${last.slice(0, 10)}`}</strong>{" "}
              <span className="muted">{count > 0 && `${count.toLocaleString("en")} left out: `}{reasonText(reason)}</span>
              <span className="detail">{detail}</span>
            </div>
          </li>
        ))}
      </ul>
    </section>
  );
}
