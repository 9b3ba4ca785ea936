import type { RecentRun, Status } from "../api/types";
import { formatDuration } from "../time/duration";
import { formatAbsolute } from "../time/instant";
import { statusText } from "./StatusBadge";

const BAR = 4;
const GAP = 2;
const HEIGHT = 22;
const LOWEST = 3;

/** A job's last runs as small bars, the newest at the right: height for how long, colour for how it ended. */
export function Sparkline({ runs, room }: { runs: readonly RecentRun[]; room: number }) {
  const oldestFirst = runs.slice(0, room).reverse();
  const durations = oldestFirst.map(durationOf);
  const longest = Math.max(...durations, 1);
  const width = room * (BAR + GAP) - GAP;
  const first = room - oldestFirst.length;
  return (
    <svg className="sparkline" viewBox={`0 0 ${width} ${HEIGHT}`} width={width} height={HEIGHT} role="img" aria-label={summary(runs)}>
      {oldestFirst.map((run, index) => {
        const height = LOWEST + (HEIGHT - LOWEST) * Math.sqrt((durations[index] ?? 0) / longest);
        return (
          <rect
            key={run.execution_id}
            className={`bar-${run.status}`}
            x={(first + index) * (BAR + GAP)}
            y={HEIGHT - height}
            width={BAR}
            height={height}
            rx={1}
          >
            <title>
              {`${statusText(run.status)}, ${formatDuration(durations[index] ?? 0)}\n${formatAbsolute(run.due_at)}`}
            </title>
          </rect>
        );
      })}
    </svg>
  );
}

export function durationOf({ started_at, finished_at }: Pick<RecentRun, "started_at" | "finished_at">): number {
  return started_at && finished_at ? Math.max(0, Date.parse(finished_at) - Date.parse(started_at)) : 0;
}

function summary(runs: readonly RecentRun[]): string {
  const counts = new Map<Status, number>();
  for (const { status } of runs) counts.set(status, (counts.get(status) ?? 0) + 1);
  const parts = [...counts].map(([status, count]) => `${count} ${statusText(status).toLowerCase()}`);
  const which = runs.length === 1 ? "Last run" : `Last ${runs.length} runs`;
  return runs.length === 0 ? "No runs" : `${which}: ${parts.join(", ")}`;
}
