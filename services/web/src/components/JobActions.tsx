import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { pauseJob, resumeJob, runJob } from "../api/master";
import type { Job } from "../api/types";
import { Icon } from "./icons";
import { useNotices } from "./notices";

interface Props {
  job: Job;
  onRun(executionId: string): void;
}

/** Run now, and Pause or Resume. */
export function JobActions({ job, onRun }: Props) {
  const [busy, setBusy] = useState(false);
  const client = useQueryClient();
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
      void client.invalidateQueries({ queryKey: ["jobs"] });
      notices.done(enabled ? `${name} is paused.` : `${name} is resumed.`);
    });

  return (
    <div className="actions">
      <Button
        disabled={busy}
        onClick={() => void run()}
        aria-label={`Run now: ${name}`}
        title="Run now"
        leftSection={<Icon name="play" />}
      >
        Run now
      </Button>
      <Button
        disabled={busy}
        onClick={() => void toggle()}
        aria-label={`${enabled ? "Pause" : "Resume"}: ${name}`}
        leftSection={<Icon name={enabled ? "pause" : "resume"} />}
      >
        {enabled ? "Pause" : "Resume"}
      </Button>
    </div>
  );
}
