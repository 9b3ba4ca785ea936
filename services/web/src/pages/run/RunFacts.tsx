import { Link } from "wouter";
import type { Execution } from "../../api/types";
import { Fact, Facts } from "../../components/Facts";
import { bytesText, exitText, triggerText } from "../../components/words";
import { formatDuration } from "../../time/duration";

/** What is known of a run besides when. */
export function RunFacts({ execution: run }: { execution: Execution }) {
  return (
    <Facts>
      <Fact name="Begun by">
        {triggerText(run.trigger)}
        {run.attempt > 1 && <span className="detail">attempt {run.attempt}</span>}
      </Fact>
      <Fact name="Exit">{exitText(run)}</Fact>
      <Fact name="Worker">
        <Link href={`/runs?worker_id=${encodeURIComponent(run.worker_id)}`}>{run.worker_id}</Link>
        {run.host && (
          <span className="detail">
            {run.host}
            {run.pid !== null && `, pid ${run.pid}`}
          </span>
        )}
      </Fact>
      {run.cpu_user_s !== null && (
        <Fact name="Processor">
          {formatDuration((run.cpu_user_s + (run.cpu_system_s ?? 0)) * 1000)}
          <span className="detail">
            {formatDuration(run.cpu_user_s * 1000)} user, {formatDuration((run.cpu_system_s ?? 0) * 1000)} system
          </span>
        </Fact>
      )}
      {run.max_rss_bytes !== null && run.max_rss_bytes > 0 && <Fact name="Memory">{bytesText(run.max_rss_bytes)} at most</Fact>}
      {(run.output_cut_bytes ?? 0) > 0 && (
        <Fact name="Output left out">
          {bytesText(run.output_cut_bytes ?? 0)}
          <span className="detail">a mark in the output says where</span>
        </Fact>
      )}
      <Fact name="Definition">
        <Link href={`/jobs/${run.job_id}?tab=versions`}>version {run.job_version}</Link>
        <span className="detail">claim {run.fencing_token}</span>
      </Fact>
    </Facts>
  );
}
