import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { RefusedError } from "../../api/client";
import { createJob, jobQuery, replaceJob } from "../../api/master";
import type { FieldProblem, Job } from "../../api/types";
import { useNotices } from "../../components/notices";
import type { Draft } from "./draft";
import { problemsOf } from "./problems";
import type { Rival } from "./RivalDialog";
import { asSpec } from "./useChecked";

export interface Refusal {
  problems: readonly FieldProblem[];
  draft: Draft; // that was refused
}

interface Target {
  jobId: string;
  version: number; // that the draft is meant to replace
}

interface Outcomes {
  saved(job: Job): void;
  met(rival: Rival): void; // somebody else saved the job meanwhile
}

/** Saves a draft as a new job, or over the version it began from. What is refused for a field is kept, to be shown there. */
export function useSave({ saved, met }: Outcomes) {
  const [busy, setBusy] = useState(false);
  const [refusal, refuse] = useState<Refusal | null>(null);
  const queryClient = useQueryClient();
  const notices = useNotices();

  const save = async (draft: Draft, target: Target | null): Promise<void> => {
    setBusy(true);
    try {
      const job = await (target ? replaceJob(target.jobId, asSpec(draft), target.version) : createJob(asSpec(draft)));
      queryClient.setQueryData(jobQuery(job.job_id).queryKey, job);
      void queryClient.invalidateQueries({ queryKey: ["jobs"] });
      saved(job);
    } catch (thrown) {
      const error = thrown as Error;
      const rival = rivalIn(error);
      const problems = problemsOf(error);
      if (rival) met(rival);
      else if (problems.length > 0) refuse({ problems, draft });
      else notices.failed(error);
    } finally {
      setBusy(false);
    }
  };
  return { busy, refusal, save };
}

/** The version that stands in place of the one that was edited. */
function rivalIn(error: Error): Rival | null {
  if (!(error instanceof RefusedError)) return null;
  const { current, current_version: version } = error.problem;
  return current && version !== undefined ? { spec: current as unknown as Draft, version } : null;
}
