import type { Execution } from "../api/types";

const BAR = 10;
const GAP = 4;
const HEIGHT = 44;
const LOWEST = 5;

/** The runs as bars, oldest first: height for how long, colour for how it ended. The table says the same. */
export function RunStrip({ runs }: { runs: Execution[] }) {
  const oldestFirst = [...runs].reverse();
  const durations = oldestFirst.map(durationOf);
  const longest = Math.max(...durations, 1);
  const width = runs.length * (BAR + GAP) - GAP;
  return (
    <svg className="run-strip" viewBox={`0 0 ${width} ${HEIGHT}`} width={width} height={HEIGHT} aria-hidden="true">
      {oldestFirst.map((run, index) => {
        const height = LOWEST + (HEIGHT - LOWEST) * ((durations[index] ?? 0) / longest);
        return (
          <rect
            key={run.execution_id}
            className={`bar bar-${run.status}`}
            x={index * (BAR + GAP)}
            y={HEIGHT - height}
            width={BAR}
            height={height}
            rx={2}
          />
        );
      })}
    </svg>
  );
}

function durationOf({ started_at, finished_at }: Execution): number {
  return started_at && finished_at ? Math.max(0, Date.parse(finished_at) - Date.parse(started_at)) : 0;
}
