import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { runsQuery } from "../../api/ingester";
import { useFilters } from "../../api/useFilters";
import { usePages } from "../../api/usePages";
import { Icon } from "../../components/icons";
import { Pager } from "../../components/Pager";
import { RunsTable } from "../../components/RunsTable";
import { Empty, Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";
import { At } from "../../components/When";
import { formatAbsolute } from "../../time/instant";
import { isFiltered, parametersOf, RUN_FILTERS, type RunFilters } from "./filters";
import { RunsFilters } from "./RunsFilters";
import "./runs.css";

const PAGE_SIZE = 50;

/** The runs of all jobs, newest first. */
export default function RunsPage() {
  usePageTitle("Runs");
  const [filters, setFilters] = useFilters(RUN_FILTERS);
  const [since, setSince] = useState(Date.now); // what a span ends at
  const pages = usePages();
  const runs = useQuery(runsQuery({ ...parametersOf(filters, since), limit: PAGE_SIZE, cursor: pages.cursor }));
  const change = (some: Partial<RunFilters>): void => {
    pages.first();
    setSince(Date.now());
    setFilters(some);
  };
  return (
    <>
      <div className="page-head">
        <h1>Runs</h1>
        <RunsFilters filters={filters} change={change} />
      </div>
      <Chosen filters={filters} change={change} />
      <Ready query={runs} rows={12}>
        {({ executions, next_cursor, searched_to }) => (
          <>
            {executions.length === 0 ? (
              <Empty title={isFiltered(filters) ? "No run matches these filters" : "Nothing has run yet"} />
            ) : (
              <div className="panel">
                <RunsTable runs={executions} withJob />
              </div>
            )}
            {searched_to && (
              <p className="table-note">
                Searched back to <At at={searched_to} /> so far; the next page goes on from there.
              </p>
            )}
            <Pager pages={pages} nextCursor={next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}

/** What other pages chose by their links, to be taken back. */
function Chosen({ filters: { job, start, end }, change }: { filters: RunFilters; change(some: Partial<RunFilters>): void }) {
  if (!job && !start && !end) return null;
  return (
    <p className="runs-chosen">
      {job && (
        <Button variant="light" onClick={() => change({ job: "" })} rightSection={<Icon name="cross" />} >
          Job {job}
        </Button>
      )}
      {(start || end) && (
        <Button variant="light" onClick={() => change({ start: "", end: "" })} rightSection={<Icon name="cross" />}>
          Due {start && `from ${formatAbsolute(start)}`} {end && `until ${formatAbsolute(end)}`}
        </Button>
      )}
    </p>
  );
}
