import { useId } from "react";
import { formatAbsolute } from "../time/instant";
import { roundTimes, roundTop, timeLabel } from "./scale";
import { useWidth } from "./useWidth";
import "./charts.css";

const LEFT = 40;
const BOTTOM = 20;
const TOP = 8;
const PIXELS_A_LABEL = 90;
const HALF_LABEL = 18;

export interface Part {
  name: string; // in words
  className: string; // of its fill
  count: number;
}

export interface Bar {
  start: number; // ms
  parts: Part[]; // from the bottom up; those of no count may be left out
}

interface Props {
  title: string; // what is counted: read out, and shown with a bar
  bars: Bar[]; // one after the other
  end: number; // of the last bar, ms
  height?: number;
}

/** Counts over time, in bars of equal width. A reader of the screen gets a sentence; the tables beside it say more. */
export function StackedBars({ title, bars, end, height = 150 }: Props) {
  const [frame, width] = useWidth();
  const id = useId();
  const first = bars[0]?.start ?? end;
  const span = Math.max(end - first, 1);
  const top = roundTop(Math.max(...bars.map(totalOf), 0));
  const x = (at: number): number => LEFT + ((at - first) / span) * (width - LEFT);
  const tall = (count: number): number => (count / top) * (height - BOTTOM - TOP);
  const total = bars.reduce((sum, bar) => sum + totalOf(bar), 0);
  const labels = Math.max(2, Math.floor(width / PIXELS_A_LABEL));
  const times = roundTimes(first, end, labels).filter((at) => x(at) <= width - HALF_LABEL);
  return (
    <div ref={frame} className="chart">
      {width > 0 && (
        <svg width={width} height={height} role="img" aria-labelledby={id}>
          <title id={id}>{`${title}: ${total.toLocaleString("en")} from ${instant(first)} to ${instant(end)}`}</title>
          <Grid width={width} height={height} top={top} />
          {times.map((at) => (
            <text key={at} className="chart-label chart-time" x={x(at)} y={height - 5}>
              {timeLabel(at, span)}
            </text>
          ))}
          {bars.map((bar, index) => {
            const until = bars[index + 1]?.start ?? end;
            const gap = Math.min(2, (x(until) - x(bar.start)) * 0.2);
            return (
              <g key={bar.start}>
                <title>{barText(title, bar)}</title>
                <rect className="chart-hit" x={x(bar.start)} y={0} width={x(until) - x(bar.start)} height={height - BOTTOM} />
                {stacked(bar).map(({ part, below }) => (
                  <rect
                    key={part.name}
                    className={part.className}
                    x={x(bar.start) + gap / 2}
                    y={height - BOTTOM - tall(below + part.count)}
                    width={Math.max(x(until) - x(bar.start) - gap, 0.5)}
                    height={tall(part.count)}
                  />
                ))}
              </g>
            );
          })}
        </svg>
      )}
    </div>
  );
}

function Grid({ width, height, top }: { width: number; height: number; top: number }) {
  const marks = top >= 2 ? [0, top / 2, top] : [0, top];
  return marks.map((mark) => {
    const y = TOP + (1 - mark / top) * (height - BOTTOM - TOP);
    return (
      <g key={mark}>
        <line className="chart-line" x1={LEFT} x2={width} y1={y} y2={y} />
        <text className="chart-label chart-count" x={LEFT - 6} y={y + 4}>
          {compact.format(mark)}
        </text>
      </g>
    );
  });
}

const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const instant = (at: number): string => formatAbsolute(new Date(at).toISOString());

function totalOf(bar: Bar): number {
  return bar.parts.reduce((sum, part) => sum + part.count, 0);
}

function stacked(bar: Bar): { part: Part; below: number }[] {
  let below = 0;
  return bar.parts
    .filter(({ count }) => count > 0)
    .map((part) => {
      const placed = { part, below };
      below += part.count;
      return placed;
    });
}

function barText(title: string, bar: Bar): string {
  const parts = bar.parts.filter(({ count }) => count > 0);
  const lines = parts.map(({ name, count }) => `${name}: ${count.toLocaleString("en")}`);
  return [`${title}, from ${instant(bar.start)}`, ...(lines.length ? lines : ["none"])].join("\n");
}
