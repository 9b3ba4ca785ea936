import { useLocation } from "wouter";
import type { Execution } from "../../api/types";
import { durationOf } from "../../components/Sparkline";
import { statusText } from "../../components/StatusBadge";
import { formatDuration } from "../../time/duration";
import { formatAbsolute } from "../../time/instant";

const WIDTH = 1200;
const HEIGHT = 120;
const LOWEST = 3;

/** How long the runs took, oldest first; a bar leads to its run. The table below says the same. */
export function DurationChart({ runs }: { runs: readonly Execution[] }) {
  const [, navigate] = useLocation();
  const oldestFirst = [...runs].reverse();
  const durations = oldestFirst.map(durationOf);
  const longest = Math.max(...durations, 1);
  const known = durations.filter((duration) => duration > 0).sort((a, b) => a - b);
  const median = known[Math.floor(known.length / 2)] ?? 0;
  const step = WIDTH / Math.max(oldestFirst.length, 20);
  const heightOf = (duration: number): number => LOWEST + (HEIGHT - LOWEST) * (duration / longest);
  return (
    <svg className="durations" viewBox={`0 0 ${WIDTH} ${HEIGHT + 8}`} preserveAspectRatio="none" role="img"
      aria-label={`How long the last ${runs.length} runs took: ${formatDuration(median)} in the middle, ${formatDuration(longest)} at most`}>
      {oldestFirst.map((run, index) => {
        const height = heightOf(durations[index] ?? 0);
        return (
          <g key={run.execution_id} className="durations-run" onClick={() => navigate(`/runs/${run.execution_id}`)}>
            <rect className="durations-room" x={index * step} y={0} width={step} height={HEIGHT + 8} />
            <rect className={`bar-${run.status}`} x={index * step + 1} y={HEIGHT + 4 - height} width={Math.max(1, step - 2)} height={height} rx={2} />
            <title>
              {`${statusText(run.status)}, ${formatDuration(durations[index] ?? 0)}\n${formatAbsolute(run.due_at)}`}
            </title>
          </g>
        );
      })}
      <line className="durations-median" x1={0} x2={WIDTH} y1={HEIGHT + 4 - heightOf(median)} y2={HEIGHT + 4 - heightOf(median)} />
    </svg>
  );
}

/** The scale beside the chart, as text. */
export function DurationScale({ runs }: { runs: readonly Execution[] }) {
  const known = runs.map(durationOf).filter((duration) => duration > 0).sort((a, b) => a - b);
  if (known.length === 0) return null;
  const at = (part: number): string => formatDuration(known[Math.min(known.length - 1, Math.floor(known.length * part))] ?? 0);
  return (
    <p className="durations-scale number">
      Last {runs.length} runs: <strong>{at(0.5)}</strong> in the middle, {at(0.95)} at the 95th percentile, {at(1)} at most
    </p>
  );
}
