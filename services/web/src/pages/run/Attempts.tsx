import { useQuery } from "@tanstack/react-query";
import { Link } from "wouter";
import { runsQuery } from "../../api/ingester";
import type { Execution } from "../../api/types";
import { StatusBadge } from "../../components/StatusBadge";
import { RunTime } from "../../components/When";

const SPAN_MS = 24 * 3600 * 1000; // retries are looked for so long before and after
const MOST = 100;

/** The other attempts of the same tick; nothing where there was but one. An id is its tick's, then the attempt. */
export function Attempts({ execution: run }: { execution: Execution }) {
  const due = Date.parse(run.due_at);
  const { data } = useQuery(
    runsQuery({
      job_id: run.job_id,
      start: new Date(due - SPAN_MS).toISOString(),
      end: new Date(due + SPAN_MS).toISOString(),
      limit: MOST,
    }),
  );
  const attempts = (data?.executions ?? []).filter((other) => tickOf(other) === tickOf(run)).sort((a, b) => a.attempt - b.attempt);
  if (attempts.length < 2) return null;
  return (
    <nav className="attempts" aria-label="Attempts">
      <h2>Attempts</h2>
      <ol>
        {attempts.map((attempt) => (
          <li key={attempt.execution_id}>
            <Link href={`/runs/${attempt.execution_id}`} aria-current={attempt.execution_id === run.execution_id ? "page" : undefined}>
              {attempt.attempt}
            </Link>
            <StatusBadge status={attempt.status} />
            <span className="detail">
              <RunTime run={attempt} />
            </span>
          </li>
        ))}
      </ol>
    </nav>
  );
}

const tickOf = ({ execution_id }: Execution): string => execution_id.slice(0, execution_id.lastIndexOf("."));
