/**
 * What crosses the wire, as in `schemas/dcron_schemas/api.py` and `job.py`.
 *
 * Instants are RFC 3339 text. A `JobSpec` leaves out the fields that are at their defaults.
 */

export type Status = "running" | "succeeded" | "failed" | "timed_out" | "killed" | "lost";
export type Stream = "stdout" | "stderr";
export type SkipReason = "overlap" | "missed" | "capacity" | "calendar" | "dst" | "edited";

export interface FieldProblem {
  field: string;
  message: string;
  value?: string;
  remedy?: string;
}

/** An RFC 9457 problem. */
export interface Problem {
  title: string;
  status: number;
  detail?: string;
  instance?: string;
  errors?: FieldProblem[];
}

export interface JobSpec {
  name: string;
  run: { shell?: string; argv?: string[]; http?: { url: string; method?: string } };
  namespace?: string; // default: "default"
  description?: string;
  owner?: string;
  tags?: string[];
  enabled?: boolean; // default: true
  schedule?: { cron?: string; every?: string; at?: string };
  timezone?: string; // default: "UTC"
  timeout?: string;
  overlap?: "skip" | "queue" | "replace" | "allow"; // default: "skip"
}

export interface Job {
  job_id: string;
  version: number;
  spec: JobSpec;
  anchor: string;
  position: number;
  created_at: string;
  updated_at: string;
  updated_by: string;
  next_tick: string | null; // null: paused, manual or over
  schedule_text: string;
}

export interface JobList {
  jobs: Job[];
  total: number;
  next_cursor: string | null;
}

export interface RunAccepted {
  execution_id: string;
  job_id: string;
  /** All of them: of a job that runs on every worker, one for each that matched. */
  execution_ids?: string[];
}

export interface Info {
  version: string;
  log_ingester_url: string;
}

export interface Execution {
  execution_id: string;
  job_id: string;
  job_name: string;
  namespace: string;
  job_version: number;
  trigger: string;
  due_at: string;
  attempt: number;
  worker_id: string;
  claimed_at: string;
  fencing_token: number;
  status: Status;
  host: string;
  pid: number | null;
  started_at: string | null;
  finished_at: string | null;
  exit_code: number | null;
  signal: number | null;
  error: string;
  output_chunks: number | null; // known when the run is over
  cpu_user_s: number | null;
  cpu_system_s: number | null;
  max_rss_bytes: number | null;
}

export interface ExecutionList {
  executions: Execution[];
  next_cursor: string | null;
}

export interface Chunk {
  seq: number; // 0, 1, 2, … over both streams, without gap
  stream: Stream;
  at: string;
  text: string; // not always whole lines
}

export interface OutputPage {
  execution_id: string;
  chunks: Chunk[];
  next_seq: number | null; // null: that was all there is for now
}

export interface SkippedTick {
  job_id: string;
  job_name: string;
  namespace: string;
  tick: string;
  last_tick: string | null;
  count: number;
  reason: SkipReason;
  at: string;
  worker_id: string;
  detail: string;
}

export interface SkippedTickList {
  ticks: SkippedTick[];
}

export type Frame =
  | { frame: "state"; execution: Execution }
  | { frame: "output"; chunk: Chunk }
  | { frame: "gap"; from_seq: number }
  | { frame: "finished"; execution: Execution };
