import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useRef, useState } from "react";
import { deleteJob, pauseJob, resumeJob, runJob } from "../../api/master";
import type { Job, Role } from "../../api/types";
import { ConfirmDialog } from "../../components/ConfirmDialog";
import { Icon, type IconName } from "../../components/icons";
import { useNotices } from "../../components/notices";
import { lackingIn, namespaceOf } from "../../session/rights";
import { useSession } from "../../session/useSession";
import { type BulkProgress, forEachJob } from "./bulk";

type Command = "run" | "pause" | "resume" | "delete";

interface Doing {
  icon: IconName;
  label: string;
  done: string; // of so many jobs
  needs: Role; // in the namespace of each
  send(jobId: string): Promise<unknown>;
}

const DOINGS: Record<Command, Doing> = {
  run: { icon: "play", label: "Run now", done: "asked to run", needs: "operator", send: runJob },
  pause: { icon: "pause", label: "Pause", done: "paused", needs: "operator", send: pauseJob },
  resume: { icon: "resume", label: "Resume", done: "resumed", needs: "operator", send: resumeJob },
  delete: { icon: "trash", label: "Delete", done: "deleted", needs: "editor", send: (jobId) => deleteJob(jobId) },
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
  const { grants } = useSession();
  const count = selected.size;
  const namespaces = [...selected.values()].map(({ spec }) => namespaceOf(spec));
  const lacking = (role: Role): string[] => lackingIn(grants, role, namespaces);

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
        {Object.entries(DOINGS).map(
          ([command, { icon, label, needs }]) =>
            lacking(needs).length === 0 && (
              <Button key={command} leftSection={<Icon name={icon} />} onClick={() => ask(command as Command)}>
                {label}
              </Button>
            ),
        )}
        <Button variant="subtle" color="gray" onClick={clear}>
          Clear
        </Button>
      </div>
      <Lacking role="operator" namespaces={lacking("operator")} />
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

/** Why the commands are not there: some of the jobs are where the user may not. */
function Lacking({ role, namespaces }: { role: Role; namespaces: string[] }) {
  if (namespaces.length === 0) return null;
  return (
    <p className="detail">
      You are no {role} in {namespaces.slice(0, 3).join(", ")}
      {namespaces.length > 3 && ` and ${namespaces.length - 3} more`}: choose others for commands.
    </p>
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
