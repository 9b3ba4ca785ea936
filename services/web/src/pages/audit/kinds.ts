/** What events are called. */

import type { LogEvent } from "../../api/types";

const OF_JOBS = {
  JobCreated: "Created",
  JobUpdated: "Changed",
  JobReverted: "Reverted",
  JobRestored: "Restored",
  JobPaused: "Paused",
  JobResumed: "Resumed",
  JobDeleted: "Deleted",
  RunRequested: "Run requested",
  KillRequested: "Kill requested",
};

const OF_USERS = {
  LoggedIn: "Logged in",
  LoggedOut: "Logged out",
  LoginRefused: "Login refused",
  AccessRefused: "Request refused",
  UserAdded: "User added",
  UserGranted: "Roles changed",
  PasswordSet: "Password set",
  LoginLinkMade: "Login link made",
  UserDisabled: "User disabled",
  UserEnabled: "User enabled",
  UserRemoved: "User removed",
  TokenCreated: "Token made",
  TokenRevoked: "Token revoked",
  SecretSet: "Secret set",
  SecretRemoved: "Secret deleted",
};

const OF_THE_LOG = {
  LogOpened: "Log opened",
  LogRecordSkipped: "Record stepped over",
};

const KINDS: Record<string, string> = { ...OF_JOBS, ...OF_USERS, ...OF_THE_LOG };

const choices = (group: string, kinds: Record<string, string>) => ({
  group,
  items: Object.entries(kinds).map(([value, label]) => ({ value, label })),
});

/** What can be chosen among, for a list. */
export const KIND_CHOICES = [
  { value: "", label: "Anything" },
  choices("Jobs", OF_JOBS),
  choices("Users and secrets", OF_USERS),
  choices("The log", OF_THE_LOG),
];

export const kindText = (kind: string): string => KINDS[kind] ?? kind;

export const OUTCOMES: Record<LogEvent["outcome"], string> = {
  applied: "Took effect",
  rejected: "Refused",
  repeated: "Repeated",
  "stepped over": "Stepped over",
};
