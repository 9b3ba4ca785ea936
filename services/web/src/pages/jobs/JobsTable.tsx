import { Link } from "wouter";
import type { Execution, Job } from "../../api/types";
import { JobActions } from "../../components/JobActions";
import { JobState } from "../../components/JobState";
import { StatusBadge } from "../../components/StatusBadge";
import { Ago, Countdown, RunTime } from "../../components/When";

interface Props {
  jobs: Job[];
  latest: Map<string, Execution> | null; // by job id; null: not known
  onRun(executionId: string): void;
}

export function JobsTable({ jobs, latest, onRun }: Props) {
  return (
    <div className="panel">
      <table className="table jobs-table">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">Schedule</th>
            <th scope="col">Next</th>
            <th scope="col">Last run</th>
            <th scope="col">State</th>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.job_id}>
              <JobCells job={job} />
              <td className="cell-last">
                <LastRun known={latest !== null} run={latest?.get(job.job_id)} />
              </td>
              <td className="cell-state">
                <JobState enabled={job.spec.enabled ?? true} />
              </td>
              <td className="cell-actions">
                <JobActions job={job} onRun={onRun} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function JobCells({ job }: { job: Job }) {
  const { name, namespace = "default", description, timezone = "UTC" } = job.spec;
  return (
    <>
      <th scope="row" className="cell-job">
        <Link href={`/jobs/${job.job_id}`} className="job-name">
          {name}
        </Link>
        <span className="job-namespace">{namespace}</span>
        {description && <span className="job-description">{description}</span>}
      </th>
      <td className="cell-schedule">
        {job.schedule_text}
      </td>
      <td className="cell-next">
        {job.next_tick ? <Countdown to={job.next_tick} zone={timezone} /> : <span className="muted">–</span>}
      </td>
    </>
  );
}

function LastRun({ known, run }: { known: boolean; run: Execution | undefined }) {
  if (!run) return <span className="muted">{known ? "Never ran" : "…"}</span>;
  return (
    <Link href={`/runs/${run.execution_id}`} className="last-run">
      <StatusBadge status={run.status} />
      <span className="detail">
        {run.status === "running" ? "for " : <EndedAgo run={run} />}
        <RunTime run={run} />
      </span>
    </Link>
  );
}

function EndedAgo({ run }: { run: Execution }) {
  return (
    <>
      <Ago at={run.finished_at ?? run.started_at ?? run.due_at} />
      {" · "}
    </>
  );
}
