import { useState } from "react";
import { pauseJob, resumeJob, runJob } from "../api/master";
import type { Job } from "../api/types";
import { Icon } from "./icons";
import { useNotices } from "./notices";

interface Props {
  job: Job;
  onRun(executionId: string): void;
  onChange(): void; // the job is not what it was
}

/** Run now, and Pause or Resume. */
export function JobActions({ job, onRun, onChange }: Props) {
  const [busy, setBusy] = useState(false);
  const notices = useNotices();
  const name = job.spec.name;
  const enabled = job.spec.enabled ?? true;

  const command = async (send: () => Promise<void>): Promise<void> => {
    setBusy(true);
    try {
      await send();
    } catch (error) {
      notices.failed(error as Error);
    } finally {
      setBusy(false);
    }
  };
  const run = () => command(async () => onRun((await runJob(job.job_id)).execution_id));
  const toggle = () =>
    command(async () => {
      await (enabled ? pauseJob : resumeJob)(job.job_id);
      onChange();
      notices.done(enabled ? `${name} is paused.` : `${name} is resumed.`);
    });

  return (
    <div className="actions">
      <button
        type="button"
        className="button"
        disabled={busy}
        onClick={() => void run()}
        aria-label={`Run ${name} now`}
        title="Run now"
      >
        <Icon name="play" />
        <span className="button-text">Run now</span>
      </button>
      <button
        type="button"
        className="button button-toggle"
        disabled={busy}
        onClick={() => void toggle()}
        aria-label={`${enabled ? "Pause" : "Resume"} ${name}`}
        title={enabled ? "Pause" : "Resume"}
      >
        <Icon name={enabled ? "pause" : "resume"} />
        <span className="button-text">{enabled ? "Pause" : "Resume"}</span>
      </button>
    </div>
  );
}
