import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { runsQuery, skippedQuery } from "../../api/ingester";
import { jobQuery } from "../../api/master";
import type { Job } from "../../api/types";
import { usePages } from "../../api/usePages";
import { Fact, Facts } from "../../components/Facts";
import { Icon } from "../../components/icons";
import { JobState } from "../../components/JobState";
import { Pager } from "../../components/Pager";
import { RunsTable } from "../../components/RunsTable";
import { RunStrip } from "../../components/RunStrip";
import { SkippedTable } from "../../components/SkippedTable";
import { Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { At, Countdown } from "../../components/When";
import { commandText } from "../../components/words";
import type { PageProps } from "../../routes";
import "./job.css";
import { JobActions } from "./JobActions";

const PAGE_SIZE = 25;

/** One job: what it is, how its runs went, which ticks did not run. */
export default function JobPage({ params: { id = "" } }: PageProps) {
  const job = useQuery(jobQuery(id));
  usePageTitle(job.data?.spec.name ?? "Job");
  return (
    <>
      <Link href="/jobs" className="back-link">
        <Icon name="back" />
        Jobs
      </Link>
      <Ready query={job}>{(data) => <JobView job={data} />}</Ready>
    </>
  );
}

function JobView({ job }: { job: Job }) {
  return (
    <>
      <div className="page-head">
        <div className="title">
          <h1>{job.spec.name}</h1>
          <span className="job-namespace">{job.spec.namespace ?? "default"}</span>
          <JobState enabled={job.spec.enabled ?? true} />
        </div>
        <JobActions job={job} />
      </div>
      {job.spec.description && <p className="lede">{job.spec.description}</p>}
      <JobFacts job={job} />
      <Runs jobId={job.job_id} />
      <Skipped jobId={job.job_id} />
    </>
  );
}

function JobFacts({ job }: { job: Job }) {
  const { timezone = "UTC", owner, tags = [], timeout } = job.spec;
  return (
    <section className="panel facts-panel" aria-label="Definition">
      <Facts>
        <Fact name="Schedule">
          {job.schedule_text}
        </Fact>
        <Fact name="Next tick">
          {job.next_tick ? <Countdown to={job.next_tick} zone={timezone} /> : "None"}
          {job.next_tick && (
            <span className="detail">
              <At at={job.next_tick} zone={timezone} />
            </span>
          )}
        </Fact>
        <Fact name="Time zone">{timezone}</Fact>
        {timeout && <Fact name="Timeout">{timeout}</Fact>}
        <Fact name="Version">
          {job.version}
          <span className="detail">
            by {job.updated_by}, <At at={job.updated_at} />
          </span>
        </Fact>
        {owner && <Fact name="Owner">{owner}</Fact>}
        {tags.length > 0 && <Fact name="Tags">{tags.join(", ")}</Fact>}
      </Facts>
      <pre className="command" aria-label="Command">
        {commandText(job.spec)}
      </pre>
    </section>
  );
}

function Runs({ jobId }: { jobId: string }) {
  const pages = usePages();
  const runs = useQuery(runsQuery({ job_id: jobId, limit: PAGE_SIZE, cursor: pages.cursor }));
  return (
    <section aria-labelledby="runs-heading">
      <h2 id="runs-heading">Runs</h2>
      <Ready query={runs}>
        {({ executions, next_cursor }) => (
          <>
            {executions.length === 0 ? (
              <p className="panel empty">This job has not run yet.</p>
            ) : (
              <div className="panel">
                <RunStrip runs={executions} />
                <RunsTable runs={executions} />
              </div>
            )}
            <Pager pages={pages} nextCursor={next_cursor} />
          </>
        )}
      </Ready>
    </section>
  );
}

function Skipped({ jobId }: { jobId: string }) {
  const { data } = useQuery(skippedQuery(jobId));
  if (!data) return null; // what is wrong is said above, beside the runs
  return (
    <section aria-labelledby="skipped-heading">
      <h2 id="skipped-heading">Skipped ticks</h2>
      {data.ticks.length > 0 ? <SkippedTable ticks={data.ticks} /> : <p className="panel empty">None so far.</p>}
    </section>
  );
}
