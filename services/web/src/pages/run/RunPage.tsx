import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link } from "wouter";
import type { Service } from "../../api/client";
import { RunOutput } from "../../api/ingester";
import { killRun } from "../../api/master";
import { ingesterService } from "../../api/services";
import type { Execution } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Icon } from "../../components/icons";
import { useNotices } from "../../components/notices";
import { Ready } from "../../components/states";
import { StatusBadge, statusText } from "../../components/StatusBadge";
import { Trouble } from "../../components/Trouble";
import { usePageTitle } from "../../components/usePageTitle";
import { OutputView } from "../../output/OutputView";
import { useRun } from "../../output/useRun";
import type { PageProps } from "../../routes";
import { useMay } from "../../session/useSession";
import { Attempts } from "./Attempts";
import { Phases } from "./Phases";
import { RunFacts } from "./RunFacts";
import "./run.css";

/** One run: how it went, and its output as it is written. */
export default function RunPage({ params: { id = "" } }: PageProps) {
  usePageTitle("Run");
  const service = useQuery(ingesterService);
  return <Ready query={service}>{(found) => <FollowedRun service={found} executionId={id} />}</Ready>;
}

function FollowedRun({ service, executionId }: { service: Service; executionId: string }) {
  const source = useMemo(() => new RunOutput(service, executionId), [service, executionId]);
  const { followed, buffer } = useRun(source);
  const { execution, connection } = followed;
  const may = useMay();
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
        {execution?.status === "running" && may("operator", execution.namespace) && <Kill execution={execution} />}
      </div>
      {connection.kind === "refused" && <Trouble error={connection.error} />}
      {execution && (
        <section className="panel run-panel" aria-label="How it went">
          <Phases execution={execution} />
          <RunFacts execution={execution} />
          <Attempts execution={execution} />
        </section>
      )}
      {execution?.error && (
        <div className="banner banner-failed">
          <Icon name="alert" />
          <p>{execution.error}</p>
        </div>
      )}
      {buffer && <OutputView buffer={buffer} followed={followed} download={source.downloadAddress()} />}
    </>
  );
}

function Kill({ execution }: { execution: Execution }) {
  const [asking, ask] = useState(false);
  const notices = useNotices();
  const confirm = async (): Promise<void> => {
    await killRun(execution.job_id, execution.execution_id);
    ask(false);
    notices.done("The run is asked to end.");
  };
  return (
    <>
      <Button color="red" variant="light" leftSection={<Icon name="stop" />} onClick={() => ask(true)}>
        Kill
      </Button>
      {asking && (
        <ConfirmDialog title={`Kill this run of ${execution.job_name}?`} action="Kill" danger confirm={confirm} close={() => ask(false)}>
          <p className="muted">
            All its processes get SIGTERM, and SIGKILL when the job's <code>kill_grace</code> is over.
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}
