import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import type { Parameters } from "../../api/client";
import { runsQuery } from "../../api/ingester";
import type { Execution } from "../../api/types";
import { Ready } from "../../components/states";
import { StatusBadge } from "../../components/StatusBadge";
import { Ago, RunTime } from "../../components/When";
import { exitText } from "../../components/words";
import { useNow } from "../../time/useNow";
import { type SpanName, spanQuery } from "./spans";

const MOST_ROWS = 8;

interface Props {
  title: string;
  empty: string;
  filter: Parameters;
  span?: SpanName; // how far back; left out: however long ago
}

/** A few runs of one kind, newest first. */
export function RunsNow({ title, empty, filter, span }: Props) {
  const now = useNow();
  const since = span ? { start: spanQuery(span, now).start } : {};
  const runs = useQuery(runsQuery({ ...filter, ...since, limit: MOST_ROWS }));
  return (
    <section className="overview-part">
      <h2>{title}</h2>
      <Ready query={runs} rows={3}>
        {({ executions }) => (
          <div className="panel">
            {executions.length === 0 ? <p className="table-note">{empty}.</p> : <Rows runs={executions} title={title} />}
            {executions.length === MOST_ROWS && (
              <p className="table-note">
                <Link href={`/runs?${new URLSearchParams((filter["status"] as string[]).map((one) => ["status", one]))}`}>
                  More
                </Link>
              </p>
            )}
          </div>
        )}
      </Ready>
    </section>
  );
}

function Rows({ runs, title }: { runs: Execution[]; title: string }) {
  return (
    <table className="table">
      <caption className="visually-hidden">{title}</caption>
      <thead>
        <tr>
          <th scope="col">Job</th>
          <th scope="col">Status</th>
          <th scope="col">Due</th>
          <th scope="col" className="number">
            Took
          </th>
          <th scope="col" className="number">
            Exit
          </th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.execution_id}>
            <th scope="row">
              <Link href={`/runs/${run.execution_id}`}>{run.job_name}</Link>
            </th>
            <td>
              <StatusBadge status={run.status} />
            </td>
            <td data-name="Due">
              <Ago at={run.due_at} />
            </td>
            <td data-name="Took" className="number">
              <RunTime run={run} />
            </td>
            <td data-name="Exit" className="number">
              {exitText(run)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
