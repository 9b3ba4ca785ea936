import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { deleteJob, pauseJob, resumeJob, runJob } from "../../api/master";
import type { Job } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Icon, type IconName } from "../../components/icons";
import { useNotices } from "../../components/notices";
import { type BulkProgress, forEachJob } from "./bulk";

type Command = "run" | "pause" | "resume" | "delete";

interface Doing {
  icon: IconName;
  label: string;
  done: string; // of so many jobs
  send(jobId: string): Promise<unknown>;
}

const DOINGS: Record<Command, Doing> = {
  run: { icon: "play", label: "Run now", done: "asked to run", send: runJob },
  pause: { icon: "pause", label: "Pause", done: "paused", send: pauseJob },
  resume: { icon: "resume", label: "Resume", done: "resumed", send: resumeJob },
  delete: { icon: "trash", label: "Delete", done: "deleted", send: (jobId) => deleteJob(jobId) },
};

interface Props {
  selected: ReadonlyMap<string, Job>;
  total: number; // how many match the filters
  selectAll(): Promise<void>; // those on other pages too
  clear(): void;
}

/** What can be done with the jobs that are chosen. */
export function BulkBar({ selected, total, selectAll, clear }: Props) {
  const [asked, ask] = useState<Command | null>(null);
  const [progress, setProgress] = useState<BulkProgress | null>(null);
  const stop = useRef(new AbortController());
  const client = useQueryClient();
  const notices = useNotices();
  const count = selected.size;

  const perform = async (command: Command): Promise<void> => {
    stop.current = new AbortController();
    const { failed, done } = await forEachJob([...selected.values()], DOINGS[command].send, setProgress, stop.current.signal);
    setProgress(null);
    ask(null);
    clear();
    void client.invalidateQueries({ queryKey: ["jobs"] });
    if (failed[0]) notices.failed(new Error(`${failed.length} of ${count} jobs, first ${failed[0].name}: ${failed[0].error.message}`));
    else notices.done(`${jobsText(done)} ${DOINGS[command].done}.`);
  };
  const cancel = (): void => {
    stop.current.abort();
    ask(null);
  };

  return (
    <div className="jobs-bulk" role="toolbar" aria-label="Chosen jobs">
      <strong>{jobsText(count)} chosen</strong>
      {count < total && (
        <button type="button" className="link" onClick={() => void selectAll()}>
          Choose all {total.toLocaleString("en")}
        </button>
      )}
      <div className="actions">
        {Object.entries(DOINGS).map(([command, { icon, label }]) => (
          <Button key={command} leftSection={<Icon name={icon} />} onClick={() => ask(command as Command)}>
            {label}
          </Button>
        ))}
        <Button variant="subtle" color="gray" onClick={clear}>
          Clear
        </Button>
      </div>
      {asked && (
        <ConfirmDialog
          title={`${DOINGS[asked].label}: ${jobsText(count)}`}
          action={DOINGS[asked].label}
          danger={asked === "delete"}
          {...(asked === "delete" ? { typed: `delete ${count}` } : {})}
          confirm={() => perform(asked)}
          close={cancel}
        >
          <Names jobs={[...selected.values()]} />
          {progress && (
            <p role="status">
              {progress.done + progress.failed.length} of {progress.total} done
            </p>
          )}
        </ConfirmDialog>
      )}
    </div>
  );
}

const SHOWN = 12;

function Names({ jobs }: { jobs: Job[] }) {
  const more = jobs.length - SHOWN;
  return (
    <p className="muted">
      {jobs.slice(0, SHOWN).map(({ spec }) => spec.name).join(", ")}
      {more > 0 && ` and ${more.toLocaleString("en")} more`}
    </p>
  );
}

const jobsText = (count: number): string => (count === 1 ? "1 job" : `${count.toLocaleString("en")} jobs`);
