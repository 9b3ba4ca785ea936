import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "wouter";
import { latestQuery } from "../../api/ingester";
import { jobsQuery } from "../../api/master";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { useNotices } from "../../components/notices";
import { Pager } from "../../components/Pager";
import { SearchField } from "../../components/SearchField";
import { Empty, Ready } from "../../components/states";
import { StaleBanner } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { JobsTable } from "./JobsTable";
import "./jobs.css";

const PAGE_SIZE = 50;
const FILTERS = { q: "" };

/** All jobs: when they run next, how they ended last. */
export default function JobsPage() {
  usePageTitle("Jobs");
  const [{ q }, setFilters] = useFilters(FILTERS);
  const pages = usePages();
  const notices = useNotices();
  const jobs = useQuery(jobsQuery({ q, cursor: pages.cursor, limit: PAGE_SIZE }));
  const latest = useLatestRuns(jobs.data?.jobs.map((job) => job.job_id) ?? []);

  const search = (text: string): void => {
    pages.first();
    setFilters({ q: text });
  };
  const requested = (executionId: string): void =>
    notices.done(
      <>
        Run requested. <Link href={`/runs/${executionId}`}>See its output</Link>
      </>,
    );

  return (
    <>
      <div className="page-head">
        <h1>
          Jobs {jobs.data && <span className="count">{jobs.data.total.toLocaleString("en")}</span>}
        </h1>
        <SearchField label="Search jobs" value={q} onSearch={search} />
      </div>
      <Ready query={jobs}>
        {(data) => (
          <>
            {!jobs.error && latest.error && <StaleBanner error={latest.error} knownAt={latest.dataUpdatedAt || null} />}
            {data.jobs.length === 0 && (q ? <Empty title={`No job matches “${q}”`} /> : <NoJobs />)}
            {data.jobs.length > 0 && <JobsTable jobs={data.jobs} latest={latest.runs} onRun={requested} />}
            <Pager pages={pages} nextCursor={data.next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}

/** The newest run of each job; null while nothing is known of any. */
function useLatestRuns(jobIds: string[]) {
  const { data, error, dataUpdatedAt } = useQuery(latestQuery(jobIds));
  const runs = useMemo(() => data && new Map(data.executions.map((run) => [run.job_id, run])), [data]);
  return { runs: runs ?? null, error, dataUpdatedAt };
}

function NoJobs() {
  return (
    <Empty title="No jobs yet">
      <p>Describe a job in a YAML file and apply it:</p>
      <pre className="command">dcron job apply -f examples/hello.yaml</pre>
    </Empty>
  );
}
