import { runJob } from "../../api/master";
import type { Job } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { commandText } from "../../components/words";

interface Props {
  job: Job;
  requested(executionId: string): void;
  close(): void;
}

/** Asks before a job is run outside its schedule, and shows what would be run. */
export function RunNowDialog({ job, requested, close }: Props) {
  return (
    <ConfirmDialog
      title={`Run ${job.spec.name} now?`}
      action="Run now"
      confirm={async () => requested((await runJob(job.job_id)).execution_id)}
      close={close}
    >
      <p className="muted">
        It runs once, outside its schedule{job.spec.enabled === false ? ", although it is paused" : ""}.
      </p>
      <pre className="command">{commandText(job.spec)}</pre>
    </ConfirmDialog>
  );
}
