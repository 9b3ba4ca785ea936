import { Button } from "@mantine/core";
import { useState } from "react";
import { Link, useLocation } from "wouter";
import type { Job } from "../../api/types";
import { Icon } from "../../components/icons";
import { namespaceOf } from "../../session/rights";
import { useMay } from "../../session/useSession";
import { JobMenu } from "./JobMenu";
import { RunNowDialog } from "./RunNowDialog";
import { usePause } from "./usePause";

/** Run now, Pause or Resume, Edit, and what is done seldom; as much of it as the user's role lets them do. */
export function JobActions({ job }: { job: Job }) {
  const [asking, ask] = useState(false);
  const [, navigate] = useLocation();
  const { enabled, busy, toggle } = usePause(job);
  const may = useMay();
  const namespace = namespaceOf(job.spec);
  if (!may("operator", namespace)) return null;
  return (
    <div className="actions">
      <Button variant="filled" onClick={() => ask(true)} leftSection={<Icon name="play" />}>
        Run now
      </Button>
      <Button disabled={busy} onClick={toggle} leftSection={<Icon name={enabled ? "pause" : "resume"} />}>
        {enabled ? "Pause" : "Resume"}
      </Button>
      {may("editor", namespace) && (
        <>
          <Button component={Link} href={`/jobs/${job.job_id}/edit`} leftSection={<Icon name="edit" />}>
            Edit
          </Button>
          <JobMenu job={job} />
        </>
      )}
      {asking && <RunNowDialog job={job} requested={(id) => navigate(`/runs/${id}`)} close={() => ask(false)} />}
    </div>
  );
}
