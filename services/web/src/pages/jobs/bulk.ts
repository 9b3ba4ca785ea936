/** The same command to many jobs: a few at a time, each with its own outcome. */

const AT_ONCE = 6;

export interface BulkProgress {
  readonly total: number;
  readonly done: number;
  readonly failed: readonly { name: string; error: Error }[];
}

interface Named {
  job_id: string;
  spec: { name: string };
}

/**
 * Send `command` for each of the jobs, and tell how it goes. What fails does not stop the others; `signal` lets
 * those that are under way end and begins no more.
 */
export async function forEachJob(
  jobs: readonly Named[],
  command: (jobId: string) => Promise<unknown>,
  told: (progress: BulkProgress) => void,
  signal: AbortSignal,
): Promise<BulkProgress> {
  let progress: BulkProgress = { total: jobs.length, done: 0, failed: [] };
  const waiting = jobs[Symbol.iterator]();
  const tell = (change: Partial<BulkProgress>): void => {
    progress = { ...progress, ...change };
    told(progress);
  };
  const work = async (): Promise<void> => {
    for (const { job_id, spec } of waiting) {
      if (signal.aborted) return;
      try {
        await command(job_id);
        tell({ done: progress.done + 1 });
      } catch (error) {
        tell({ failed: [...progress.failed, { name: spec.name, error: error as Error }] });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return progress;
}
