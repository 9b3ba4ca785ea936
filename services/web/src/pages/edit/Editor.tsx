import { SegmentedControl } from "@mantine/core";
import { lazy, Suspense, useEffect, useState } from "react";
import { useLocation } from "wouter";
import type { Job } from "../../api/types";
import { useLeaving } from "../../components/leaving";
import { useNotices } from "../../components/notices";
import { Loading } from "../../components/states";
import { StaleBanner } from "../../components/Trouble";
import type { Draft } from "./draft";
import { DraftProvider } from "./DraftContext";
import { Form } from "./Form";
import { LeaveDialog } from "./LeaveDialog";
import { PendingChanges } from "./PendingChanges";
import { joined, standing } from "./problems";
import { RivalBanner } from "./RivalBanner";
import { type Rival, RivalDialog } from "./RivalDialog";
import { SaveBar } from "./SaveBar";
import { SchedulePreview } from "./SchedulePreview";
import { useCheck } from "./useChecked";
import { useDraft } from "./useDraft";
import { useSave } from "./useSave";
import type { Written } from "./YamlView";

const YamlView = lazy(() => import("./YamlView"));

interface Props {
  title: string;
  origin: Draft; // what the page begins with
  latest: Job | null; // the job that is edited, as it is known now; null: a new one is written
  original?: Draft; // what a new one is a copy of
}

/** One draft as a form and as YAML, what is wrong with it, what it would change, and its way to the server. */
export function Editor({ title, origin, latest, original }: Props) {
  const { start, version, draft, edition, isChanged, change, rebase } = useDraft(origin, latest);
  const [isYaml, showYaml] = useState(false);
  const [written, keep] = useState<Written | null>(null);
  const [rival, meet] = useState<Rival | null>(null);
  const leaving = useLeaving(isChanged);
  const notices = useNotices();
  const [, navigate] = useLocation();
  const { busy, refusal, save } = useSave({
    saved: (job) => {
      notices.done(latest ? `${job.spec.name} is saved as version ${job.version}.` : `${job.spec.name} is created.`);
      leaving.pass(() => navigate(`/jobs/${job.job_id}`));
    },
    met: meet,
  });

  const jobId = latest?.job_id;
  const check = useCheck(draft, jobId);
  const problems = joined(check.problems, refusal ? standing(refusal.problems, refusal.draft, draft) : []);
  const isBroken = isYaml && written?.isBroken === true && written.draft === draft;
  const canSave = !busy && !isBroken && (isChanged || latest === null);
  const submit = (): void => {
    if (canSave) void save(draft, jobId && version !== null ? { jobId, version } : null);
  };
  useSaveKey(submit);
  useEffect(() => {
    if (refusal) document.querySelector<HTMLElement>("[data-edit] [aria-invalid=true]")?.focus();
  }, [refusal]);

  return (
    <DraftProvider value={{ draft, change, problems, jobId }}>
      <div className="page-head">
        <h1>{title}</h1>
        <SegmentedControl
          aria-label="View"
          value={isYaml ? "yaml" : "form"}
          onChange={(view) => showYaml(view === "yaml")}
          disabled={isBroken}
          data={[
            { value: "form", label: "Form" },
            { value: "yaml", label: "YAML" },
          ]}
        />
      </div>
      {check.failure && <StaleBanner error={check.failure} knownAt={null} />}
      {latest && version !== null && latest.version > version && (
        <RivalBanner job={latest} compare={() => meet({ spec: latest.spec as unknown as Draft, version: latest.version })} />
      )}
      <div className="edit-columns" data-edit>
        {isYaml ? (
          <Suspense fallback={<Loading />}>
            <YamlView key={edition} written={written} keep={keep} />
          </Suspense>
        ) : (
          <Form key={edition} isNew={latest === null && !original} />
        )}
        <div className="edit-beside">
          <SchedulePreview />
          <PendingChanges before={original ?? (latest ? start : null)} isCopy={original !== undefined} />
        </div>
      </div>
      <SaveBar isNew={latest === null} isBroken={isBroken} isChanged={isChanged} busy={busy} canSave={canSave} save={submit} />
      {rival && jobId && (
        <RivalDialog
          base={start}
          rival={rival}
          by={latest?.version === rival.version ? latest.updated_by : undefined}
          mine={draft}
          busy={busy}
          save={(next) => {
            rebase(rival.spec, rival.version, next);
            meet(null);
            void save(next, { jobId, version: rival.version });
          }}
          close={() => meet(null)}
        />
      )}
      {leaving.isAsked && <LeaveDialog leave={leaving.leave} stay={leaving.stay} />}
    </DraftProvider>
  );
}

/** Ctrl+Enter, or ⌘+Enter, saves. */
function useSaveKey(submit: () => void): void {
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      submit();
    };
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  });
}
