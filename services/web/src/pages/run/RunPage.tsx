import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { Link } from "wouter";
import { RunOutput } from "../../api/ingester";
import type { Service } from "../../api/client";
import { ingesterService } from "../../api/services";
import type { Execution } from "../../api/types";
import { Fact, Facts } from "../../components/Facts";
import { Icon } from "../../components/icons";
import { Ready } from "../../components/states";
import { StatusBadge, statusText } from "../../components/StatusBadge";
import { Trouble } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { At, RunTime } from "../../components/When";
import { bytesText, exitText, triggerText } from "../../components/words";
import { OutputView } from "../../output/OutputView";
import { useRun } from "../../output/useRun";
import type { PageProps } from "../../routes";
import { formatDuration } from "../../time/duration";
import "./run.css";

/** One run: its facts, and its output as it is written. */
export default function RunPage({ params: { id = "" } }: PageProps) {
  usePageTitle("Run");
  const service = useQuery(ingesterService);
  return <Ready query={service}>{(found) => <FollowedRun service={found} executionId={id} />}</Ready>;
}

function FollowedRun({ service, executionId }: { service: Service; executionId: string }) {
  const source = useMemo(() => new RunOutput(service, executionId), [service, executionId]);
  const { followed, buffer } = useRun(source);
  const { execution, connection } = followed;
  const jobId = executionId.split(".")[0] ?? ""; // an execution id begins with its job's
  usePageTitle(execution ? `${execution.job_name}: ${statusText(execution.status)}` : "Run");

  return (
    <>
      <Link href={`/jobs/${jobId}`} className="back-link">
        <Icon name="back" />
        {execution?.job_name ?? "Job"}
      </Link>
      <div className="page-head">
        <div className="title">
          <h1>Run{execution && <> of {execution.job_name}</>}</h1>
          {execution && <StatusBadge status={execution.status} />}
        </div>
      </div>
      {connection.kind === "refused" && <Trouble error={connection.error} />}
      {execution && <RunFacts execution={execution} />}
      {execution?.error && (
        <div className="banner banner-failed">
          <Icon name="alert" />
          <p>{execution.error}</p>
        </div>
      )}
      {buffer && <OutputView buffer={buffer} followed={followed} />}
    </>
  );
}

function RunFacts({ execution: run }: { execution: Execution }) {
  const late = run.started_at && Math.max(0, Date.parse(run.started_at) - Date.parse(run.due_at));
  return (
    <section className="panel facts-panel" aria-label="Facts">
      <Facts>
        <Fact name="Due">
          <At at={run.due_at} />
          <span className="detail">
            {triggerText(run.trigger)}
            {run.attempt > 1 && `, attempt ${run.attempt}`}
          </span>
        </Fact>
        <Fact name="Started">
          {run.started_at ? <At at={run.started_at} /> : "–"}
          {late !== null && late !== "" && <span className="detail">{formatDuration(late)} after due</span>}
        </Fact>
        <Fact name="Duration">
          <RunTime run={run} />
        </Fact>
        <Fact name="Exit">{exitText(run)}</Fact>
        <Fact name="Worker">
          {run.worker_id}
          {run.host && (
            <span className="detail">
              {run.host}
              {run.pid !== null && `, pid ${run.pid}`}
            </span>
          )}
        </Fact>
        {run.cpu_user_s !== null && (
          <Fact name="CPU">
            {formatDuration((run.cpu_user_s + (run.cpu_system_s ?? 0)) * 1000)}
            {run.max_rss_bytes ? <span className="detail">{bytesText(run.max_rss_bytes)} memory</span> : null}
          </Fact>
        )}
        <Fact name="Job version">{run.job_version}</Fact>
      </Facts>
    </section>
  );
}
