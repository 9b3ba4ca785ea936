import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { statsQuery } from "../../api/ingester";
import type { RunStats, Status } from "../../api/types";
import { StackedBars } from "../../charts/StackedBars";
import { Ready } from "../../components/states";
import { statusText } from "../../components/StatusBadge";
import { useNow } from "../../time/useNow";
import { rateText } from "./Figures";
import { SPANS, type SpanName, spanQuery } from "./spans";

const ORDER: readonly Status[] = ["succeeded", "running", "killed", "timed_out", "lost", "failed"]; // from the bottom up
const MOST_JOBS = 5;

/** How many runs there were, and how they ended. */
export function RunsOverTime({ span }: { span: SpanName }) {
  const stats = useQuery(statsQuery(spanQuery(span, useNow())));
  return (
    <section className="overview-part">
      <h2>Runs in the last {SPANS[span].label}</h2>
      <Ready query={stats} rows={3}>
        {({ buckets, end, total, jobs }) => (
          <div className="panel overview-chart">
            <StackedBars
              title="Runs due"
              end={Date.parse(end)}
              bars={buckets.map((bucket) => ({ start: Date.parse(bucket.start), parts: partsOf(bucket.stats) }))}
            />
            <Legend total={total} />
            {jobs.length > 1 && <Busiest jobs={jobs.slice(0, MOST_JOBS)} />}
          </div>
        )}
      </Ready>
    </section>
  );
}

function partsOf(stats: RunStats) {
  return ORDER.map((status) => ({ name: statusText(status), className: `bar-${status}`, count: stats[status] }));
}

function Legend({ total }: { total: RunStats }) {
  return (
    <ul className="overview-legend">
      {ORDER.filter((status) => total[status] > 0).map((status) => (
        <li key={status}>
          <svg viewBox="0 0 10 10" aria-hidden="true">
            <rect className={`bar-${status}`} width="10" height="10" rx="2" />
          </svg>
          {statusText(status)} <span className="number">{total[status].toLocaleString("en")}</span>
        </li>
      ))}
    </ul>
  );
}

function Busiest({ jobs }: { jobs: { job_id: string; job_name: string; stats: RunStats }[] }) {
  return (
    <table className="table overview-jobs">
      <caption className="visually-hidden">The jobs with the most runs</caption>
      <thead>
        <tr>
          <th scope="col">Most runs</th>
          <th scope="col" className="number">
            Runs
          </th>
          <th scope="col" className="number">
            Succeeded
          </th>
        </tr>
      </thead>
      <tbody>
        {jobs.map(({ job_id, job_name, stats }) => (
          <tr key={job_id}>
            <th scope="row">
              <Link href={`/jobs/${job_id}`}>{job_name}</Link>
            </th>
            <td data-name="Runs" className="number">
              {stats.runs.toLocaleString("en")}
            </td>
            <td data-name="Succeeded" className="number">
              {rateText(stats.success_rate)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
