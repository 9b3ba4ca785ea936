/** What events are called. */

import type { LogEvent } from "../../api/types";

export const KINDS: Record<string, string> = {
  JobCreated: "Created",
  JobUpdated: "Changed",
  JobReverted: "Reverted",
  JobRestored: "Restored",
  JobPaused: "Paused",
  JobResumed: "Resumed",
  JobDeleted: "Deleted",
  RunRequested: "Run requested",
  KillRequested: "Kill requested",
  LogOpened: "Log opened",
  LogRecordSkipped: "Record stepped over",
};

export const kindText = (kind: string): string => KINDS[kind] ?? kind;

export const OUTCOMES: Record<LogEvent["outcome"], string> = {
  applied: "Took effect",
  rejected: "Refused",
  repeated: "Repeated",
  "stepped over": "Stepped over",
};
