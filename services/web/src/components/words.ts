/** What the API says in codes, in words. */

import type { Execution, JobSpec, SkipReason } from "../api/types";

const SIGNALS: Record<number, string> = {
  1: "SIGHUP", 2: "SIGINT", 3: "SIGQUIT", 6: "SIGABRT", 9: "SIGKILL", 11: "SIGSEGV", 13: "SIGPIPE", 15: "SIGTERM",
};

const REASONS: Record<SkipReason, string> = {
  overlap: "The run before was still going",
  missed: "No worker could start it in time",
  capacity: "The workers were full",
  calendar: "Excluded by a calendar",
  dst: "The clock was changed",
  edited: "The job was changed",
};

const TRIGGERS: Record<string, string> = {
  tick: "Schedule",
  request: "Run now",
  retry: "Retry",
  dependency: "Another job's end",
};

const EVENTS: Record<string, string> = {
  LogOpened: "Log opened",
  JobCreated: "Created",
  JobUpdated: "Edited",
  JobReverted: "Reverted",
  JobRestored: "Restored",
  JobPaused: "Paused",
  JobResumed: "Resumed",
  JobDeleted: "Deleted",
  RunRequested: "Run asked for",
  KillRequested: "Kill asked for",
  LogRecordSkipped: "Record stepped over",
};

export const eventText = (kind: string): string => EVENTS[kind] ?? kind;
export const reasonText = (reason: SkipReason): string => REASONS[reason];
export const triggerText = (trigger: string): string => TRIGGERS[trigger] ?? trigger;

/** How the process ended: `0`, `2`, `SIGKILL (9)`; a dash while it is not known. */
export function exitText(run: Execution): string {
  if (run.signal !== null) return SIGNALS[run.signal] ? `${SIGNALS[run.signal]} (${run.signal})` : `signal ${run.signal}`;
  return run.exit_code === null ? "–" : String(run.exit_code);
}

/** What the job runs, as one would type it. */
export function commandText({ run }: JobSpec): string {
  if (typeof run.shell === "string") return run.shell.trimEnd();
  if (run.argv) return run.argv.map(quoted).join(" ");
  return run.http ? `${run.http.method ?? "POST"} ${run.http.url}` : "";
}

function quoted(argument: string): string {
  return /^[\w@%+=:,./-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", `'\\''`)}'`;
}

/** `12.4 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = bytes < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log2(bytes) / 10));
  return `${(bytes / 1024 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}
