import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { runsQuery } from "../../api/ingester";
import { workersQuery } from "../../api/master";
import type { Worker } from "../../api/types";
import { Empty, Ready } from "../../components/states";
import { StaleBanner } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { WorkersTable } from "./WorkersTable";
import "./workers.css";

const MOST_RUNNING = 500; // runs that are counted; beyond it a load is "at least"

/** Who runs the jobs: what each can take, how full it is, whether its clock can be trusted. */
export default function WorkersPage() {
  usePageTitle("Workers");
  const workers = useQuery(workersQuery);
  const load = useLoad();
  return (
    <>
      <div className="page-head">
        <h1>
          Workers {workers.data && <span className="count">{workers.data.workers.length}</span>}
        </h1>
        {workers.data && <p className="muted">{summary(workers.data.workers)}</p>}
      </div>
      <Ready query={workers}>
        {(data) => (
          <>
            {!workers.error && load.error && <StaleBanner error={load.error} knownAt={load.knownAt} />}
            {data.workers.length === 0 ? <NoWorkers /> : <WorkersTable workers={data.workers} load={load} />}
          </>
        )}
      </Ready>
    </>
  );
}

export interface Load {
  running: Map<string, number> | null; // by worker id; null: not known
  whole: boolean; // false: there are more runs than were counted
}

/** How many runs each worker has in hand. */
function useLoad(): Load & { error: Error | null; knownAt: number | null } {
  const { data, error, dataUpdatedAt } = useQuery(runsQuery({ status: "running", limit: MOST_RUNNING }));
  const running = useMemo(() => {
    if (!data) return null;
    const counts = new Map<string, number>();
    for (const { worker_id } of data.executions) counts.set(worker_id, (counts.get(worker_id) ?? 0) + 1);
    return counts;
  }, [data]);
  return { running, whole: !data?.next_cursor, error, knownAt: dataUpdatedAt || null };
}

function summary(workers: Worker[]): string {
  const ready = workers.filter(({ state, drained_by }) => state === "active" && drained_by === null);
  const slots = ready.reduce((sum, worker) => sum + worker.slots, 0);
  return `${ready.length} of ${workers.length} take runs · ${slots.toLocaleString("en")} slots`;
}

function NoWorkers() {
  return (
    <Empty title="No worker is registered">
      <p>Jobs wait until one is. Start one on any machine that reaches etcd and Kafka:</p>
      <pre className="command">dcron worker</pre>
    </Empty>
  );
}
