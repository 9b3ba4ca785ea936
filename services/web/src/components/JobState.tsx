/** Whether the job has ticks. */
export function JobState({ enabled }: { enabled: boolean }) {
  return <span className={`state ${enabled ? "state-enabled" : "state-paused"}`}>{enabled ? "Enabled" : "Paused"}</span>;
}
