/**
 * What crosses the wire, under the names that the page uses.
 *
 * All of it is generated from what the services say of themselves (`scripts/types.mjs`). A definition that is
 * sent or received leaves out the fields that are at their defaults; every other answer holds all its fields.
 */

import type { components as FrameSchemas } from "./generated/frames";
import type { components as IngesterSchemas } from "./generated/log-ingester";
import type { components as MasterSchemas } from "./generated/master";

type OfMaster = MasterSchemas["schemas"];
type OfIngester = IngesterSchemas["schemas"];
type OfFrames = FrameSchemas["schemas"];

/** An answer: no field is left out, but in the definitions that it holds. */
type Whole<T> = T extends (infer Item)[]
  ? Whole<Item>[]
  : T extends object
    ? { [K in keyof T]-?: K extends "spec" | "current" ? Exclude<T[K], undefined> : Whole<Exclude<T[K], undefined>> }
    : T;

export type JobSpec = OfMaster["JobSpec"];
export type Job = Whole<OfMaster["Job"]>;
export type JobList = Whole<OfMaster["JobList"]>;
export type DependencyGraph = Whole<OfMaster["DependencyGraph"]>;
export type JobFacets = Whole<OfMaster["JobFacets"]>;
export type RunAccepted = Whole<OfMaster["RunAccepted"]>;
export type Info = Whole<OfMaster["Info"]>;
export type Preview = Whole<OfMaster["Preview"]>;
export type OddDate = Preview["odd_dates"][number];
export type Forecast = Whole<OfMaster["Forecast"]>;
export type ComingTick = Forecast["ticks"][number];
export type JobHistory = Whole<OfMaster["JobHistory"]>;
export type JobVersion = JobHistory["versions"][number];
export type FieldChange = JobVersion["changes"][number];
export type WorkerList = Whole<OfMaster["WorkerList"]>;
export type Worker = WorkerList["workers"][number];

export type Session = Whole<OfMaster["Session"]>;
export type Grants = Session["grants"]; // by namespace; `*` stands for all of them, and for what belongs to none
export type Role = Grants[string];
export type AccessToken = Whole<OfMaster["AccessToken"]>;
export type User = Whole<OfMaster["User"]>;
export type UserList = Whole<OfMaster["UserList"]>;
export type NewUser = OfMaster["NewUser"];
export type LoginLink = Whole<OfMaster["LoginLink"]>;
export type ApiToken = Whole<OfMaster["ApiToken"]>;
export type ApiTokenList = Whole<OfMaster["ApiTokenList"]>;
export type NewApiToken = OfMaster["NewApiToken"];
export type ApiTokenMade = Whole<OfMaster["ApiTokenMade"]>;
export type Secret = Whole<OfMaster["Secret"]>;
export type SecretList = Whole<OfMaster["SecretList"]>;

export type Execution = Whole<OfIngester["ExecutionView"]>;
export type ExecutionList = Whole<OfIngester["ExecutionList"]>;
export type RecentRunsList = Whole<OfIngester["RecentRunsList"]>;
export type RecentRun = RecentRunsList["jobs"][number]["runs"][number];
export type Status = Execution["status"];
export type OutputPage = Whole<OfIngester["OutputPage"]>;
export type Chunk = OutputPage["chunks"][number];
export type Stream = Chunk["stream"];
export type SkippedTickList = Whole<OfIngester["SkippedTickList"]>;
export type SkippedTick = SkippedTickList["ticks"][number];
export type SkipReason = SkippedTick["reason"];
export type Stats = Whole<OfIngester["Stats"]>;
export type RunStats = Stats["total"];
export type BucketStats = Stats["buckets"][number];
export type Pipeline = Whole<OfIngester["Pipeline"]>;
export type Ledger = Whole<OfIngester["Ledger"]>;
export type EventList = Whole<OfIngester["EventList"]>;
export type LedgerTick = Ledger["ticks"][number];
export type Crontab = Whole<OfMaster["Crontab"]>;
export type CrontabDifference = Whole<OfMaster["CrontabDifference"]>;
export type JobDifference = CrontabDifference["jobs"][number];
export type ChainHead = Whole<OfIngester["ChainHead"]>;
export type Verification = Whole<OfIngester["Verification"]>;
export type LogEvent = EventList["events"][number];

export type Frame = Whole<OfFrames["Frame"]>;
export type FeedFrame = Whole<OfFrames["FeedFrame"]>;

export interface FieldProblem {
  field: string;
  message: string;
  value?: string;
  remedy?: string;
}

/** An RFC 9457 problem; both services' errors have this form, which their documents do not name. */
export interface Problem {
  title: string;
  status: number;
  detail?: string;
  instance?: string;
  errors?: FieldProblem[];
  current_version?: number; // with a version conflict, as the next three
  expected_version?: number;
  current?: JobSpec;
  difference?: FieldChange[];
}
