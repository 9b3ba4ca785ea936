import { ActionIcon } from "@mantine/core";
import { useState } from "react";
import { Link } from "wouter";
import type { Job } from "../../api/types";
import { Icon } from "../../components/icons";
import { useNotices } from "../../components/notices";
import { namespaceOf } from "../../session/rights";
import { useMay } from "../../session/useSession";
import { RunNowDialog } from "../job/RunNowDialog";
import { usePause } from "../job/usePause";

/** Run now, and Pause or Resume, as drawings. */
export function JobRowActions({ job }: { job: Job }) {
  const [asking, ask] = useState(false);
  const { busy, toggle, enabled } = usePause(job);
  const notices = useNotices();
  const may = useMay();
  const { name } = job.spec;
  const requested = (executionId: string): void => {
    ask(false);
    notices.done(
      <>
        {name}: run requested. <Link href={`/runs/${executionId}`}>See its output</Link>
      </>,
    );
  };
  if (!may("operator", namespaceOf(job.spec))) return null;
  const pause = `${enabled ? "Pause" : "Resume"}: ${name}`;
  return (
    <div className="jobs-row-actions">
      <ActionIcon aria-label={`Run now: ${name}`} title="Run now" onClick={() => ask(true)}>
        <Icon name="play" />
      </ActionIcon>
      <ActionIcon aria-label={pause} title={enabled ? "Pause" : "Resume"} disabled={busy} onClick={toggle}>
        <Icon name={enabled ? "pause" : "resume"} />
      </ActionIcon>
      {asking && <RunNowDialog job={job} requested={requested} close={() => ask(false)} />}
    </div>
  );
}
