import { expect, test, vi } from "vitest";
import { forEachJob } from "./bulk";

const jobs = (count: number) => Array.from({ length: count }, (_, n) => ({ job_id: `id-${n}`, spec: { name: `job-${n}` } }));
const nothing = (): void => undefined;

test("each job gets the command once, a few at a time, and what fails stops nobody", async () => {
  let underWay = 0;
  let most = 0;
  const command = vi.fn(async (jobId: string) => {
    most = Math.max(most, ++underWay);
    await Promise.resolve();
    underWay -= 1;
    if (jobId === "id-3") throw new Error("it is gone");
  });
  const told = vi.fn();
  const outcome = await forEachJob(jobs(40), command, told, new AbortController().signal);
  expect(command.mock.calls.map(([id]) => id).sort()).toEqual(jobs(40).map(({ job_id }) => job_id).sort());
  expect(outcome).toMatchObject({ total: 40, done: 39, failed: [{ name: "job-3" }] });
  expect(told).toHaveBeenCalledTimes(40);
  expect(most).toBeLessThanOrEqual(6);
});

test("stopped, it begins no more", async () => {
  const stop = new AbortController();
  const command = vi.fn(() => {
    stop.abort();
    return Promise.resolve();
  });
  const outcome = await forEachJob(jobs(40), command, nothing, stop.signal);
  expect(command.mock.calls.length).toBeLessThanOrEqual(6);
  expect(outcome.done).toBe(command.mock.calls.length);
});
