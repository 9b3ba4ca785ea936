import type { Forecast, RunStats, Stats, Status } from "../../api/types";
import { type Bar, StackedBars } from "../../charts/StackedBars";
import { statusText } from "../../components/StatusBadge";
import { bucketOf, type Range } from "./range";

const ORDER: readonly Status[] = ["succeeded", "running", "killed", "timed_out", "lost", "failed"];

interface Props {
  range: Range;
  past: Stats | undefined;
  future: Forecast | undefined;
}

/** How many runs of all jobs there were and will be, over the range. */
export function PileUp({ range, past, future }: Props) {
  return (
    <section className="panel timeline-pile" aria-label="All jobs">
      <StackedBars title="Runs and ticks to come, of all jobs" bars={barsOf(range, past, future)} end={range.end} height={110} />
    </section>
  );
}

/** One bar for each bucket of the range, whichever of the two answers its counts come from. */
function barsOf(range: Range, past?: Stats, future?: Forecast): Bar[] {
  const { ms } = bucketOf(range);
  const bars: Bar[] = Array.from({ length: Math.ceil((range.end - range.start) / ms) }, (_, index) => ({
    start: range.start + index * ms,
    parts: [],
  }));
  const barAt = (at: number): Bar | undefined => bars[Math.floor((at - range.start) / ms)];
  for (const bucket of past?.buckets ?? []) barAt(Date.parse(bucket.start))?.parts.push(...partsOf(bucket.stats));
  future?.counts.forEach((count, index) => {
    const bar = barAt(Date.parse(future.start) + index * future.bucket_s * 1000);
    if (count > 0) bar?.parts.push({ name: "To come", className: "bar-coming", count });
  });
  return bars;
}

function partsOf(stats: RunStats) {
  return ORDER.map((status) => ({ name: statusText(status), className: `bar-${status}`, count: stats[status] }));
}
