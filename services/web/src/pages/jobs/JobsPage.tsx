import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "wouter";
import { recentQuery } from "../../api/ingester";
import { allJobs, jobsQuery } from "../../api/master";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { Icon } from "../../components/icons";
import { useNotices } from "../../components/notices";
import { Pager } from "../../components/Pager";
import { Empty, Ready } from "../../components/states";
import { StaleBanner } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { holdsSomewhere } from "../../session/rights";
import { useSession } from "../../session/useSession";
import { BulkBar } from "./BulkBar";
import { isFiltered, JOB_FILTERS, type JobFilters } from "./filters";
import { JobsFilters } from "./JobsFilters";
import { JobsTable, RECENT } from "./JobsTable";
import "./jobs.css";
import { useSelection } from "./useSelection";

const PAGE_SIZE = 50;

/** All jobs: when they run next, how they ended last; and what can be done with many of them. */
export default function JobsPage() {
  usePageTitle("Jobs");
  const [filters, setFilters] = useFilters(JOB_FILTERS);
  const pages = usePages();
  const selection = useSelection();
  const notices = useNotices();
  const { grants } = useSession();
  const mayCreate = holdsSomewhere(grants, "editor");
  const jobs = useQuery(jobsQuery({ ...filters, cursor: pages.cursor, limit: PAGE_SIZE }));
  const recent = useRecentRuns(jobs.data?.jobs.map((job) => job.job_id) ?? []);

  const change = (some: Partial<JobFilters>): void => {
    pages.first();
    setFilters(some);
  };
  const selectAll = async (): Promise<void> => {
    await allJobs(filters).then(selection.add, notices.failed);
  };

  return (
    <>
      <div className="page-head">
        <h1>
          Jobs {jobs.data && <span className="count">{jobs.data.total.toLocaleString("en")}</span>}
        </h1>
        <JobsFilters filters={filters} change={change} />
        {mayCreate && (
          <Button component={Link} href="/jobs/new" variant="filled" leftSection={<Icon name="plus" />}>
            New job
          </Button>
        )}
      </div>
      <Ready query={jobs} rows={12}>
        {(data) => (
          <>
            {!jobs.error && recent.error && <StaleBanner error={recent.error} knownAt={recent.dataUpdatedAt || null} />}
            {data.jobs.length === 0 && (isFiltered(filters) ? <NoMatch filters={filters} /> : <NoJobs mayCreate={mayCreate} />)}
            {selection.jobs.size > 0 && (
              <BulkBar selected={selection.jobs} total={data.total} selectAll={selectAll} clear={selection.clear} />
            )}
            {data.jobs.length > 0 && (
              <JobsTable
                jobs={data.jobs}
                recent={recent.runs}
                selection={selection}
                sort={filters.sort}
                onSort={(sort) => change({ sort })}
              />
            )}
            <Pager pages={pages} nextCursor={data.next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}

/** The last runs of each job; null while nothing is known of any. */
function useRecentRuns(jobIds: string[]) {
  const { data, error, dataUpdatedAt } = useQuery(recentQuery(jobIds, RECENT));
  const runs = useMemo(() => data && new Map(data.jobs.map((job) => [job.job_id, job.runs])), [data]);
  return { runs: runs ?? null, error, dataUpdatedAt };
}

function NoMatch({ filters: { q } }: { filters: JobFilters }) {
  return <Empty title={q ? `No job matches “${q}”` : "No job matches these filters"} />;
}

function NoJobs({ mayCreate }: { mayCreate: boolean }) {
  if (!mayCreate) return <Empty title="No jobs yet, where you may see them" />;
  return (
    <Empty title="No jobs yet">
      <p>
        <Link href="/jobs/new">Write the first one here</Link>, or describe it in a YAML file and apply that:
      </p>
      <pre className="command">dcron job apply -f examples/hello.yaml</pre>
    </Empty>
  );
}
