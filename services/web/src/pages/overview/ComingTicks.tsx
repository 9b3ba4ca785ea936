import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { forecastQuery, jobsQuery } from "../../api/master";
import type { Forecast, Job } from "../../api/types";
import { StackedBars } from "../../charts/StackedBars";
import { Ready } from "../../components/states";
import { Countdown } from "../../components/When";
import { formatAbsolute } from "../../time/instant";
import { useNow } from "../../time/useNow";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
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
      limit: 0,
    }),
  );
  const first = useQuery(jobsQuery({ sort: "next_tick", state: "enabled", limit: MOST_ROWS }));
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
            {first.data && <Soonest jobs={first.data.jobs} />}
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

function Soonest({ jobs }: { jobs: Job[] }) {
  const ticking = jobs.flatMap(({ job_id, spec, next_tick }) => (next_tick ? [{ job_id, spec, next_tick }] : []));
  if (ticking.length === 0) return <p className="table-note">Nothing is due soon.</p>;
  return (
    <table className="table overview-jobs">
      <caption className="visually-hidden">The jobs that are due first</caption>
      <thead>
        <tr>
          <th scope="col">Due first</th>
          <th scope="col">Namespace</th>
          <th scope="col" className="number">
            In
          </th>
        </tr>
      </thead>
      <tbody>
        {ticking.map(({ job_id, spec, next_tick }) => (
          <tr key={job_id}>
            <th scope="row">
              <Link href={`/jobs/${job_id}`}>{spec.name}</Link>
            </th>
            <td data-name="Namespace" className="muted">
              {spec.namespace ?? "default"}
            </td>
            <td className="number">
              <Countdown to={next_tick} zone={spec.timezone ?? "UTC"} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
