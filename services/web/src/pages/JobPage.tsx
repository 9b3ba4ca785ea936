import { useCallback, useMemo } from "react";
import { Link, useLocation } from "wouter";
import { getJob } from "../api/master";
import { useSystem } from "../api/system";
import type { Job } from "../api/types";
import { usePages } from "../api/usePages";
import { usePolled } from "../api/usePolled";
import { Fact, Facts } from "../components/Facts";
import { Icon } from "../components/icons";
import { JobActions } from "../components/JobActions";
import { JobState } from "../components/JobState";
import { Pager } from "../components/Pager";
import { RunsTable } from "../components/RunsTable";
import { RunStrip } from "../components/RunStrip";
import { SkippedTable } from "../components/SkippedTable";
import { StaleBanner, Trouble } from "../components/Trouble";
import { usePageTitle } from "../components/usePageTitle";
import { At, Countdown } from "../components/When";
import { commandText } from "../components/words";

const PAGE_SIZE = 25;

/** One job: what it is, how its runs went, which ticks did not run. */
export function JobPage({ jobId }: { jobId: string }) {
  const [, navigate] = useLocation();
  const ask = useCallback((signal: AbortSignal) => getJob(jobId, signal), [jobId]);
  const { data: job, error, at, refresh } = usePolled(ask);
  usePageTitle(job?.spec.name ?? "Job");

  if (!job) return error ? <Trouble error={error} /> : <p className="loading" role="status">Loading…</p>;
  return (
    <>
      <Link href="/" className="back-link">
        <Icon name="back" />
        Jobs
      </Link>
      <div className="page-head">
        <div className="title">
          <h1>{job.spec.name}</h1>
          <span className="job-namespace">{job.spec.namespace ?? "default"}</span>
          <JobState enabled={job.spec.enabled ?? true} />
        </div>
        <JobActions job={job} onRun={(executionId) => navigate(`/executions/${executionId}`)} onChange={refresh} />
      </div>
      {job.spec.description && <p className="lede">{job.spec.description}</p>}
      {error && <StaleBanner error={error} knownAt={at} />}
      <JobFacts job={job} />
      <Runs jobId={jobId} />
      <Skipped jobId={jobId} />
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
  const { ingester } = useSystem();
  const pages = usePages();
  const { cursor } = pages;
  const ask = useMemo(
    () => ingester && ((signal: AbortSignal) => ingester.executions(jobId, PAGE_SIZE, cursor, signal)),
    [ingester, jobId, cursor],
  );
  const { data, error, at } = usePolled(ask);
  return (
    <section aria-labelledby="runs-heading">
      <h2 id="runs-heading">Runs</h2>
      {data && error && <StaleBanner error={error} knownAt={at} />}
      {!data && error && <Trouble error={error} />}
      {!data && !error && <p className="loading" role="status">Loading…</p>}
      {data?.executions.length === 0 && <p className="panel empty">This job has not run yet.</p>}
      {data && data.executions.length > 0 && (
        <div className="panel">
          <RunStrip runs={data.executions} />
          <RunsTable runs={data.executions} />
        </div>
      )}
      {data && <Pager pages={pages} nextCursor={data.next_cursor} />}
    </section>
  );
}

function Skipped({ jobId }: { jobId: string }) {
  const { ingester } = useSystem();
  const ask = useMemo(
    () => ingester && ((signal: AbortSignal) => ingester.skipped(jobId, signal)),
    [ingester, jobId],
  );
  const { data } = usePolled(ask);
  if (!data) return null; // what is wrong is said above, beside the runs
  return (
    <section aria-labelledby="skipped-heading">
      <h2 id="skipped-heading">Skipped ticks</h2>
      {data.ticks.length > 0 ? <SkippedTable ticks={data.ticks} /> : <p className="panel empty">None so far.</p>}
    </section>
  );
}
