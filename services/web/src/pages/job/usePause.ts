import { useMutation, useQueryClient } from "@tanstack/react-query";
import { pauseJob, resumeJob } from "../../api/master";
import type { Job } from "../../api/types";
import { useNotices } from "../../components/notices";

/** Pause a job, or resume it; what came of it is told. */
export function usePause(job: Job): { enabled: boolean; busy: boolean; toggle(): void } {
  const client = useQueryClient();
  const notices = useNotices();
  const enabled = job.spec.enabled ?? true;
  const { mutate, isPending } = useMutation({
    mutationFn: () => (enabled ? pauseJob : resumeJob)(job.job_id),
    onSuccess: (changed) => {
      client.setQueryData(["jobs", "one", job.job_id], changed);
      void client.invalidateQueries({ queryKey: ["jobs"] });
      notices.done(`${job.spec.name} is ${enabled ? "paused" : "resumed"}.`);
    },
    onError: (error) => notices.failed(error),
  });
  return { enabled, busy: isPending, toggle: () => mutate() };
}
