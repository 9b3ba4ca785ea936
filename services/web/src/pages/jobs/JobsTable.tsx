import { Checkbox } from "@mantine/core";
import { Link } from "wouter";
import type { Job, RecentRun } from "../../api/types";
import { JobState } from "../../components/JobState";
import { SortHeader } from "../../components/SortHeader";
import { Sparkline } from "../../components/Sparkline";
import { StatusBadge } from "../../components/StatusBadge";
import { Ago, Countdown, RunTime } from "../../components/When";
import { JobRowActions } from "./JobRowActions";
import type { Selection } from "./useSelection";

export const RECENT = 20; // runs in a sparkline

interface Props {
  jobs: Job[];
  recent: ReadonlyMap<string, readonly RecentRun[]> | null; // by job id, newest first; null: not known
  selection: Selection;
  sort: string;
  onSort(sort: string): void;
}

export function JobsTable({ jobs, recent, selection, sort, onSort }: Props) {
  const chosen = jobs.filter(({ job_id }) => selection.jobs.has(job_id)).length;
  return (
    <div className="panel">
      <table className="table jobs-table">
        <thead>
          <tr>
            <th scope="col" className="jobs-choose">
              <Checkbox
                aria-label="Choose all on this page"
                checked={chosen === jobs.length}
                indeterminate={chosen > 0 && chosen < jobs.length}
                onChange={() => (chosen === jobs.length ? selection.remove(jobs) : selection.add(jobs))}
              />
            </th>
            <SortHeader by="name" sort={sort} onSort={onSort}>
              Job
            </SortHeader>
            <th scope="col">Schedule</th>
            <SortHeader by="next_tick" sort={sort} onSort={onSort}>
              Next
            </SortHeader>
            <th scope="col">Last run</th>
            <th scope="col">Recent</th>
            <SortHeader by="updated_at" sort={sort} onSort={onSort} className="jobs-changed">
              Changed
            </SortHeader>
            <th scope="col">
              <span className="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <JobRow key={job.job_id} job={job} runs={recent && (recent.get(job.job_id) ?? [])} selection={selection} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function JobRow({ job, runs, selection }: { job: Job; runs: readonly RecentRun[] | null; selection: Selection }) {
  const chosen = selection.jobs.has(job.job_id);
  return (
    <tr aria-selected={chosen} className={chosen ? "chosen" : undefined}>
      <td className="jobs-choose">
        <Checkbox aria-label={`Choose ${job.spec.name}`} checked={chosen} onChange={() => selection.toggle(job)} />
      </td>
      <JobCells job={job} />
      <td className="cell-last">
        <LastRun runs={runs} />
      </td>
      <td className="cell-recent">{runs && runs.length > 0 && <Sparkline runs={runs} room={RECENT} />}</td>
      <td className="jobs-changed muted">
        <Ago at={job.updated_at} brief />
      </td>
      <td className="cell-actions">
        <JobRowActions job={job} />
      </td>
    </tr>
  );
}

function JobCells({ job }: { job: Job }) {
  const { name, namespace = "default", description, timezone = "UTC", tags = [], enabled = true } = job.spec;
  return (
    <>
      <th scope="row" className="cell-job">
        <div className="cell-job-line">
          <Link href={`/jobs/${job.job_id}`} className="job-name">
            {name}
          </Link>
          <span className="job-namespace">{namespace}</span>
          {tags.map((tag) => (
            <span key={tag} className="job-tag">
              {tag}
            </span>
          ))}
        </div>
        {description && <span className="job-description">{description}</span>}
      </th>
      <td className="cell-schedule" title={job.schedule_text}>
        {job.schedule_words || job.schedule_text}
      </td>
      <td className="cell-next number-left">
        {!enabled && <JobState enabled={false} />}
        {enabled && (job.next_tick ? <Countdown to={job.next_tick} zone={timezone} /> : <span className="muted">–</span>)}
      </td>
    </>
  );
}

function LastRun({ runs }: { runs: readonly RecentRun[] | null }) {
  const run = runs?.[0];
  if (!run) return <span className="muted">{runs ? "Never ran" : "…"}</span>;
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

function EndedAgo({ run }: { run: RecentRun }) {
  return (
    <>
      <Ago at={run.finished_at ?? run.started_at ?? run.due_at} brief />
      {" · "}
    </>
  );
}
