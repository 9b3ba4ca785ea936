import { useEffect, useRef, type KeyboardEvent, type PointerEvent } from "react";
import { Link, useLocation } from "wouter";
import { roundTimes, timeLabel } from "../../charts/scale";
import { useWidth } from "../../charts/useWidth";
import { statusText } from "../../components/StatusBadge";
import { formatDuration } from "../../time/duration";
import { formatAbsolute } from "../../time/instant";
import { type Block, blocksOf, marksOf } from "./lanes";
import type { Range } from "./range";
import { type Lane, MOST_RUNS } from "./useTimeline";

const HEIGHT = 26;
const PIXELS_A_LABEL = 90;
const DRAG_PX = 4; // less is a click

interface Props {
  lanes: readonly Lane[];
  range: Range;
  now: number;
  onMove(by: number): void; // in spans
  onZoom(by: 1 | -1, fixed: number | null): void;
}

/** A lane for each job. Drag or arrow keys move through time, + and − or the wheel with Ctrl zoom. */
export function Lanes({ lanes, range, now, onMove, onZoom }: Props) {
  const [frame, width] = useWidth();
  const { drag, dragged } = useDrag(width, onMove);
  useWheelZoom(frame, range, onZoom);
  const keys = (event: KeyboardEvent): void => {
    const does = { ArrowLeft: () => onMove(-0.25), ArrowRight: () => onMove(0.25), "+": () => onZoom(1, null), "-": () => onZoom(-1, null) };
    const action = does[event.key as keyof typeof does];
    if (!action || event.target !== event.currentTarget) return;
    event.preventDefault();
    action();
  };
  return (
    <section className="panel timeline" aria-label="Jobs over time">
      <div
        className="timeline-keys"
        tabIndex={0}
        role="group"
        aria-label="Arrow keys move through time, plus and minus zoom"
        onKeyDown={keys}
      >
        <div className="timeline-row timeline-axis">
          <span className="timeline-name muted">{formatAbsolute(new Date(range.start).toISOString())}</span>
          <div ref={frame} className="timeline-lane">
            <Axis range={range} width={width} />
          </div>
        </div>
        {lanes.map((lane) => (
          <div key={lane.job.job_id} className="timeline-row">
            <Link className="timeline-name" href={`/jobs/${lane.job.job_id}`} title={lane.job.spec.name}>
              {lane.job.spec.name}
            </Link>
            <div className="timeline-lane" {...drag}>
              <Drawing lane={lane} range={range} now={now} width={width} dragged={dragged} />
              <span className="visually-hidden">{laneText(lane)}</span>
            </div>
          </div>
        ))}
      </div>
    </section>
  );
}

function Axis({ range, width }: { range: Range; width: number }) {
  const span = range.end - range.start;
  const labels = Math.max(2, Math.floor(width / PIXELS_A_LABEL));
  return (
    <svg width={width} height={HEIGHT} aria-hidden="true">
      {roundTimes(range.start, range.end, labels).map((at) => {
        const x = ((at - range.start) / span) * width;
        return (
          <g key={at}>
            <line className="chart-line" x1={x} x2={x} y1={HEIGHT - 6} y2={HEIGHT} />
            <text className="chart-label chart-time" x={Math.min(Math.max(x, 18), width - 18)} y={HEIGHT - 10}>
              {timeLabel(at, span)}
            </text>
          </g>
        );
      })}
    </svg>
  );
}

interface DrawingProps {
  lane: Lane;
  range: Range;
  now: number;
  width: number;
  dragged(): boolean;
}

function Drawing({ lane, range, now, width, dragged }: DrawingProps) {
  const [, navigate] = useLocation();
  const present = ((now - range.start) / (range.end - range.start)) * width;
  const ahead = lane.ticks.filter((tick) => Date.parse(tick) > now);
  const blocks = blocksOf(lane.runs, range, width, now);
  return (
    <svg width={width} height={HEIGHT} aria-hidden="true">
      {present > 0 && present < width && <line className="timeline-now" x1={present} x2={present} y1={0} y2={HEIGHT} />}
      {marksOf(ahead, range, width).map((x) => (
        <line key={x} className="timeline-tick" x1={x} x2={x} y1={7} y2={HEIGHT - 7} />
      ))}
      {lane.runs.length === MOST_RUNS && (
        <line className="timeline-untold" x1={0} x2={blocks[0]?.x ?? width} y1={HEIGHT / 2} y2={HEIGHT / 2}>
          <title>{`Only the last ${MOST_RUNS} runs are drawn; look at a shorter span for those before`}</title>
        </line>
      )}
      {blocks.map((block) => (
        <rect
          key={block.runs[0]!.execution_id}
          className={`bar-${block.status} timeline-block`}
          x={block.x}
          y={5}
          width={block.width}
          height={HEIGHT - 10}
          rx={2}
          onClick={() => !dragged() && navigate(addressOf(block, lane))}
        >
          <title>{blockText(block)}</title>
        </rect>
      ))}
    </svg>
  );
}

/** The run; of several, the list of them. */
function addressOf({ runs }: Block, { job }: Lane): string {
  const [first, last] = [runs[0]!, runs.at(-1)!];
  if (first === last) return `/runs/${first.execution_id}`;
  const span = { start: first.due_at, end: new Date(Date.parse(last.due_at) + 1).toISOString() };
  return `/runs?${new URLSearchParams({ job: job.job_id, ...span })}`;
}

function blockText({ runs, status }: Block): string {
  const [first, last] = [runs[0]!, runs.at(-1)!];
  if (first !== last) return `${runs.length} runs from ${formatAbsolute(first.due_at)}, one of them: ${statusText(status)}`;
  const took = first.started_at && first.finished_at ? Date.parse(first.finished_at) - Date.parse(first.started_at) : null;
  const lines = [statusText(status), `due ${formatAbsolute(first.due_at)}`];
  return [...lines, ...(took === null ? [] : [`took ${formatDuration(took)}`])].join("\n");
}

function laneText({ runs, ticks }: Lane): string {
  const bad = runs.filter(({ status }) => status !== "succeeded" && status !== "running").length;
  return `${runs.length} runs, ${bad} of them not well; ${ticks.length} ticks to come`;
}

/** Moving a lane sideways moves through time when it is let go. */
function useDrag(width: number, onMove: (by: number) => void) {
  const from = useRef<number | null>(null);
  const moved = useRef(false);
  const drag = {
    onPointerDown: (event: PointerEvent) => {
      moved.current = false;
      if (event.button === 0 && event.pointerType === "mouse") from.current = event.clientX;
    },
    onPointerUp: (event: PointerEvent) => {
      const by = from.current === null ? 0 : event.clientX - from.current;
      from.current = null;
      moved.current = Math.abs(by) >= DRAG_PX;
      if (moved.current && width > 0) onMove(-by / width);
    },
    onPointerLeave: () => {
      from.current = null;
    },
  };
  return { drag, dragged: () => moved.current };
}

/** The wheel with Ctrl or ⌘ zooms around the pointer; alone it scrolls the page. */
function useWheelZoom(frame: { current: HTMLElement | null }, range: Range, onZoom: Props["onZoom"]): void {
  const latest = useRef({ range, onZoom });
  latest.current = { range, onZoom };
  useEffect(() => {
    const element = frame.current?.closest<HTMLElement>(".timeline");
    if (!element) return;
    const zoom = (event: WheelEvent): void => {
      const box = frame.current?.getBoundingClientRect();
      if (!box || !(event.ctrlKey || event.metaKey) || event.deltaY === 0) return;
      event.preventDefault(); // the browser would zoom the page
      const { range: seen, onZoom: go } = latest.current;
      const place = Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
      go(event.deltaY < 0 ? 1 : -1, seen.start + place * (seen.end - seen.start));
    };
    element.addEventListener("wheel", zoom, { passive: false });
    return () => element.removeEventListener("wheel", zoom);
  }, [frame]);
}
