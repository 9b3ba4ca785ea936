import { useCallback, useEffect, useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { getJobs } from "../api/master";
import { useSystem } from "../api/system";
import type { Execution } from "../api/types";
import { usePages } from "../api/usePages";
import { usePolled } from "../api/usePolled";
import { Icon } from "../components/icons";
import { JobsTable } from "../components/JobsTable";
import { useNotices } from "../components/notices";
import { Pager } from "../components/Pager";
import { StaleBanner, Trouble } from "../components/Trouble";
import { usePageTitle } from "../components/usePageTitle";

const PAGE_SIZE = 50;
const TYPING_MS = 200;

/** All jobs: when they run next, how they ended last. */
export function JobsPage() {
  usePageTitle("Jobs");
  const { q, typed, type } = useSearch();
  const pages = usePages();
  const notices = useNotices();
  const { cursor } = pages;
  const ask = useCallback((signal: AbortSignal) => getJobs({ q, cursor, limit: PAGE_SIZE }, signal), [q, cursor]);
  const { data, error, at, refresh } = usePolled(ask);
  const latest = useLatestRuns(data?.jobs.map((job) => job.job_id) ?? []);

  const search = (text: string): void => {
    pages.first();
    type(text);
  };
  const requested = (executionId: string): void =>
    notices.done(
      <>
        Run requested. <Link href={`/executions/${executionId}`}>See its output</Link>
      </>,
    );

  return (
    <>
      <div className="page-head">
        <h1>
          Jobs {data && <span className="count">{data.total.toLocaleString("en")}</span>}
        </h1>
        <label className="search">
          <Icon name="search" />
          <span className="visually-hidden">Search jobs</span>
          <input type="search" placeholder="Search jobs" value={typed} onChange={(event) => search(event.target.value)} />
        </label>
      </div>
      {data && error && <StaleBanner error={error} knownAt={at} />}
      {data && !error && latest.error && <StaleBanner error={latest.error} knownAt={latest.at} />}
      {!data && error && <Trouble error={error} />}
      {!data && !error && <Loading />}
      {data && data.jobs.length === 0 && (q ? <NoMatch q={q} /> : <NoJobs />)}
      {data && data.jobs.length > 0 && (
        <JobsTable jobs={data.jobs} latest={latest.runs} onRun={requested} onChange={refresh} />
      )}
      {data && <Pager pages={pages} nextCursor={data.next_cursor} />}
    </>
  );
}

/** The search text: in the address, a moment after it was typed, so that it can be linked to. */
function useSearch() {
  const [parameters, setParameters] = useSearchParams();
  const q = parameters.get("q") ?? "";
  const [typed, type] = useState(q);
  useEffect(() => {
    if (typed.trim() === q) return;
    const timer = setTimeout(() => {
      setParameters(typed.trim() ? { q: typed.trim() } : {}, { replace: true });
    }, TYPING_MS);
    return () => clearTimeout(timer);
  }, [typed, q, setParameters]);
  return { q, typed, type };
}

/** The newest run of each job; null while nothing is known of any. */
function useLatestRuns(jobIds: string[]) {
  const { ingester } = useSystem();
  const key = jobIds.join(" ");
  const ask = useMemo(() => {
    if (!ingester || key === "") return null;
    return (signal: AbortSignal) => ingester.latest(key.split(" "), signal);
  }, [ingester, key]);
  const { data, error, at } = usePolled(ask);
  const runs = useMemo(
    () => data && new Map<string, Execution>(data.executions.map((run) => [run.job_id, run])),
    [data],
  );
  return { runs, error, at };
}

function Loading() {
  return (
    <div className="panel skeleton" role="status" aria-label="Loading">
      {Array.from({ length: 6 }, (_, row) => (
        <div key={row} className="skeleton-row" />
      ))}
    </div>
  );
}

function NoJobs() {
  return (
    <section className="panel empty">
      <h2>No jobs yet</h2>
      <p>Describe a job in a YAML file and apply it:</p>
      <pre className="command">dcron job apply -f examples/hello.yaml</pre>
    </section>
  );
}

function NoMatch({ q }: { q: string }) {
  return (
    <section className="panel empty">
      <h2>No job matches “{q}”</h2>
    </section>
  );
}
