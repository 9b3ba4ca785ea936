import { Link } from "wouter";
import type { Execution } from "../api/types";
import { formatAbsolute } from "../time/instant";
import { formatDuration } from "../time/duration";
import { StatusBadge } from "./StatusBadge";
import { Ago, RunTime } from "./When";
import { exitText, triggerText } from "./words";

/** Runs as they come from the service, newest due first; with the job's name where they are of several. */
export function RunsTable({ runs, withJob = false }: { runs: Execution[]; withJob?: boolean }) {
  return (
    <table className="table runs-table">
      <thead>
        <tr>
          <th scope="col">Due</th>
          {withJob && <th scope="col">Job</th>}
          <th scope="col">Status</th>
          <th scope="col">Started</th>
          <th scope="col">Duration</th>
          <th scope="col">Exit</th>
          <th scope="col">Worker</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.execution_id}>
            <th scope="row" className="cell-due">
              <Link href={`/runs/${run.execution_id}`}>{formatAbsolute(run.due_at)}</Link>
              <span className="detail">
                <Ago at={run.due_at} />
                {run.trigger !== "tick" && ` · ${triggerText(run.trigger)}`}
                {run.attempt > 1 && ` · attempt ${run.attempt}`}
              </span>
            </th>
            {withJob && (
              <td className="cell-of-job">
                <Link href={`/jobs/${run.job_id}`}>{run.job_name}</Link>
              </td>
            )}
            <td className="cell-status">
              <StatusBadge status={run.status} />
            </td>
            <td data-name="Started">{run.started_at ? lateness(run.due_at, run.started_at) : "–"}</td>
            <td data-name="Duration">
              <RunTime run={run} />
            </td>
            <td data-name="Exit">{exitText(run)}</td>
            <td data-name="Worker" className="cell-worker">
              {run.worker_id || "–"}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function lateness(due: string, started: string) {
  return (
    <time dateTime={started} title={formatAbsolute(started)}>
      +{formatDuration(Math.max(0, Date.parse(started) - Date.parse(due)))}
    </time>
  );
}
