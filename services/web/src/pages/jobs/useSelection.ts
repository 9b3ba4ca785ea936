import { useCallback, useMemo, useState } from "react";
import type { Job } from "../../api/types";

export interface Selection {
  jobs: ReadonlyMap<string, Job>;
  toggle(job: Job): void;
  add(jobs: readonly Job[]): void;
  remove(jobs: readonly Job[]): void;
  clear(): void;
}

/** Which jobs are chosen, over all pages. */
export function useSelection(): Selection {
  const [jobs, setJobs] = useState<ReadonlyMap<string, Job>>(new Map());
  const add = useCallback(
    (some: readonly Job[]) => setJobs((before) => new Map([...before, ...some.map((job) => [job.job_id, job] as const)])),
    [],
  );
  const remove = useCallback((some: readonly Job[]) => {
    const gone = new Set(some.map(({ job_id }) => job_id));
    setJobs((before) => new Map([...before].filter(([id]) => !gone.has(id))));
  }, []);
  const clear = useCallback(() => setJobs(new Map()), []);
  return useMemo(
    () => ({ jobs, add, remove, clear, toggle: (job) => (jobs.has(job.job_id) ? remove([job]) : add([job])) }),
    [jobs, add, remove, clear],
  );
}
