import { useQuery } from "@tanstack/react-query";
import { runsQuery } from "../../api/ingester";
import { usePages } from "../../api/usePages";
import { Pager } from "../../components/Pager";
import { RunsTable } from "../../components/RunsTable";
import { Empty, Ready } from "../../components/states";
import { usePageTitle } from "../../components/usePageTitle";

const PAGE_SIZE = 50;

/** The runs of all jobs, newest first. */
export default function RunsPage() {
  usePageTitle("Runs");
  const pages = usePages();
  const runs = useQuery(runsQuery({ limit: PAGE_SIZE, cursor: pages.cursor }));
  return (
    <>
      <div className="page-head">
        <h1>Runs</h1>
      </div>
      <Ready query={runs}>
        {({ executions, next_cursor }) => (
          <>
            {executions.length === 0 ? (
              <Empty title="Nothing has run yet" />
            ) : (
              <div className="panel">
                <RunsTable runs={executions} withJob />
              </div>
            )}
            <Pager pages={pages} nextCursor={next_cursor} />
          </>
        )}
      </Ready>
    </>
  );
}
