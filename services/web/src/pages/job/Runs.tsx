import { useQuery } from "@tanstack/react-query";
import { runsQuery, skippedQuery } from "../../api/ingester";
import { usePages } from "../../api/usePages";
import { Pager } from "../../components/Pager";
import { RunsTable } from "../../components/RunsTable";
import { SkippedTable } from "../../components/SkippedTable";
import { Empty, Ready } from "../../components/states";
import { DurationChart, DurationScale } from "./DurationChart";

const PAGE_SIZE = 25;
const CHARTED = 100;

/** How a job's runs went, and which of its ticks did not run. */
export function Runs({ jobId }: { jobId: string }) {
  const pages = usePages();
  const charted = useQuery(runsQuery({ job_id: jobId, limit: CHARTED }));
  const runs = useQuery(runsQuery({ job_id: jobId, limit: PAGE_SIZE, cursor: pages.cursor }));
  return (
    <section aria-label="Runs">
      <Ready query={runs}>
        {({ executions, next_cursor }) => (
          <>
            {executions.length === 0 ? (
              <Empty title="This job has not run yet" />
            ) : (
              <div className="panel">
                {charted.data && (
                  <div className="durations-box">
                    <DurationScale runs={charted.data.executions} />
                    <DurationChart runs={charted.data.executions} />
                  </div>
                )}
                <RunsTable runs={executions} />
              </div>
            )}
            <Pager pages={pages} nextCursor={next_cursor} />
          </>
        )}
      </Ready>
      <Skipped jobId={jobId} />
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
