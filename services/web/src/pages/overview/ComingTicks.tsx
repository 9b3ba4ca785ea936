import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { forecastQuery } from "../../api/master";
import type { Forecast } from "../../api/types";
import { StackedBars } from "../../charts/StackedBars";
import { Ready } from "../../components/states";
import { Countdown } from "../../components/When";
import { formatAbsolute } from "../../time/instant";
import { useNow } from "../../time/useNow";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const SHOWN = 40; // jobs tick often: enough that some are still to come when the next answer is there
const MOST_ROWS = 6;

/** What is due in the next hour. */
export function ComingTicks() {
  const now = useNow();
  const start = Math.floor(now / MINUTE) * MINUTE;
  const forecast = useQuery(
    forecastQuery({
      start: new Date(start).toISOString(),
      end: new Date(start + HOUR).toISOString(),
      bucket: "2m",
      limit: SHOWN,
    }),
  );
  return (
    <section className="overview-part">
      <h2>The next hour</h2>
      <Ready query={forecast} rows={3}>
        {(data) => (
          <div className="panel overview-chart">
            <StackedBars title="Ticks" end={Date.parse(data.end)} bars={barsOf(data)} />
            {Date.parse(data.end) < start + HOUR && (
              <p className="table-note">So many ticks that they were counted up to {formatAbsolute(data.end)} only.</p>
            )}
            <Soonest ticks={soonest(data, now)} />
          </div>
        )}
      </Ready>
    </section>
  );
}

function barsOf({ start, bucket_s, counts }: Forecast) {
  const first = Date.parse(start);
  return counts.map((count, index) => ({
    start: first + index * bucket_s * 1000,
    parts: [{ name: "Due", className: "bar-coming", count }],
  }));
}

/** The next tick of each of the jobs that are due first. */
function soonest({ ticks }: Forecast, now: number): Forecast["ticks"] {
  const seen = new Set<string>();
  const ahead = ticks.filter(({ at }) => Date.parse(at) > now);
  return ahead.filter(({ job_id }) => !seen.has(job_id) && seen.add(job_id)).slice(0, MOST_ROWS);
}

function Soonest({ ticks }: { ticks: Forecast["ticks"] }) {
  if (ticks.length === 0) return <p className="table-note">Nothing is due soon.</p>;
  return (
    <table className="table overview-jobs">
      <caption className="visually-hidden">The jobs that are due first</caption>
      <thead>
        <tr>
          <th scope="col">Due first</th>
          <th scope="col">In</th>
        </tr>
      </thead>
      <tbody>
        {ticks.map(({ at, job_id, job_name, namespace }) => (
          <tr key={job_id}>
            <th scope="row">
              <Link href={`/jobs/${job_id}`}>{job_name}</Link> <span className="job-namespace">{namespace}</span>
            </th>
            <td className="number">
              <Countdown to={at} zone="UTC" />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
