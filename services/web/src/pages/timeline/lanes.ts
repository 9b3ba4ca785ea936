/** A job's lane: its runs and its ticks to come as what is drawn, however many there are. Pure functions. */

import type { RecentRun, Status } from "../../api/types";
import type { Range } from "./range";

const NARROWEST = 3; // px

export interface Block {
  x: number;
  width: number;
  status: Status;
  runs: RecentRun[]; // more than one where they are too near to be told apart; oldest first
}

/**
 * Place runs on `width` pixels. What would cover each other is one block, of the worst status in it.
 *
 * `runs` may be in any order. A run that goes on reaches to `now`.
 */
export function blocksOf(runs: readonly RecentRun[], range: Range, width: number, now: number): Block[] {
  const x = (at: number): number => ((at - range.start) / (range.end - range.start)) * width;
  const placed = runs
    .map((run) => ({ run, from: beginOf(run), to: endOf(run, now) }))
    .filter(({ from, to }) => to >= range.start && from <= range.end)
    .sort((one, other) => one.from - other.from);
  const blocks: Block[] = [];
  for (const { run, from, to } of placed) {
    const left = Math.max(x(from), 0);
    const wide = Math.max(Math.min(x(to), width) - left, NARROWEST);
    const last = blocks.at(-1);
    if (last && left < last.x + last.width) {
      last.width = Math.max(last.width, left + wide - last.x);
      last.status = worse(last.status, run.status);
      last.runs.push(run);
    } else {
      blocks.push({ x: left, width: wide, status: run.status, runs: [run] });
    }
  }
  return blocks;
}

/** Where ticks to come are drawn: whole pixels, each once, in order. */
export function marksOf(ticks: readonly string[], range: Range, width: number): number[] {
  const at = ticks.map((tick) => Math.round(((Date.parse(tick) - range.start) / (range.end - range.start)) * width));
  return [...new Set(at.filter((x) => x >= 0 && x <= width))].sort((one, other) => one - other);
}

const BADNESS: Record<Status, number> = { succeeded: 0, running: 1, killed: 2, lost: 3, timed_out: 4, failed: 5 };

function worse(one: Status, other: Status): Status {
  return BADNESS[other] > BADNESS[one] ? other : one;
}

const beginOf = (run: RecentRun): number => Date.parse(run.started_at ?? run.due_at);

function endOf(run: RecentRun, now: number): number {
  if (run.finished_at) return Date.parse(run.finished_at);
  return run.status === "running" ? Math.max(now, beginOf(run)) : beginOf(run);
}
