import { type CSSProperties, useId, useLayoutEffect, useMemo, useRef, useState } from "react";
import type { Connection, Followed } from "./follower";
import type { LineBuffer } from "./lines";
import { OutputBar } from "./OutputBar";
import { OutputLine } from "./OutputLine";
import { RowMap, type RowOptions } from "./rows";
import { useFollowing } from "./useFollowing";
import { useLineSearch } from "./useLineSearch";
import { useOutputOptions } from "./useOutputOptions";

const ROW_PX = 20; // --line-height in run.css
const BEYOND = 20; // rows drawn above and below what is in view
const HIGHEST_PX = 15_000_000; // browsers place nothing lower than about 17 million
const PLAIN_COLUMNS = 7; // beside the number: its edges and the mark of stderr
const STAMP_COLUMNS = 14;

interface Props {
  buffer: LineBuffer;
  followed: Followed;
  download: string; // where the whole output is had as a file
}

/** The output of a run. Only the lines in view are drawn, so that a million cost no more than a few. */
export function OutputView({ buffer, followed, download }: Props) {
  const options = useOutputOptions();
  const box = useRef<HTMLDivElement>(null);
  const heading = useId();
  const [sought, seek] = useState("");
  const { lines, dropped } = buffer;
  const found = useLineSearch(sought, lines, followed.revision);
  const character = useCharacterWidth(box);
  const digits = String(dropped + lines.length).length;
  const gutter = digits + PLAIN_COLUMNS + (options.stamped ? STAMP_COLUMNS : 0);
  const [width, setWidth] = useState(0);
  const columns = options.wrapped && width > 0 ? Math.max(20, Math.floor(width / character) - gutter) : null;
  const map = useRows(buffer, columns, options.stream, found.changed);

  const contentPx = map.rows * ROW_PX;
  const spacePx = Math.min(contentPx, HIGHEST_PX);
  const view = useFollowing(box, dropped * ROW_PX);
  if (view.width !== width) setWidth(view.width);
  const scale = contentPx > HIGHEST_PX ? (contentPx - view.height) / (HIGHEST_PX - view.height) : 1;
  const topPx = view.scrollTop * scale;
  const first = map.shownAt(Math.max(0, Math.floor(topPx / ROW_PX) - BEYOND));
  const last = Math.min(map.count, map.shownAt(Math.ceil((topPx + view.height) / ROW_PX) + BEYOND) + 1);
  const windowPx = view.scrollTop + (map.rowOf(first) * ROW_PX - topPx);

  const goTo = (step: 1 | -1): void => {
    const place = found.go(step);
    if (place === null || !box.current) return;
    view.setFollowing(false);
    box.current.scrollTop = (map.rowOf(map.shownOf(place)) * ROW_PX - view.height / 2) / scale;
  };

  return (
    <section className="panel output" aria-labelledby={heading}>
      <OutputBar heading={heading} connection={followed.connection} options={options} download={download}
        sought={sought} seek={seek} found={found} go={goTo} following={view.following} follow={view.setFollowing} />
      {dropped > 0 && (
        <p className="table-note">
          The last {lines.length.toLocaleString("en")} lines are shown; {dropped.toLocaleString("en")} before them are
          in the download.
        </p>
      )}
      <div
        className={`output-box${options.wrapped ? " output-wrapped" : ""}`}
        ref={box}
        onScroll={view.onScroll}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-labelledby={heading}
      >
        {map.count === 0 && <p className="output-none">{nothingYet(followed.connection, lines.length > 0)}</p>}
        <div className="output-lines" style={sizeOf(spacePx, buffer.longest, digits)}>
          <div className="output-window" style={{ transform: `translateY(${windowPx}px)` }}>
            {range(first, last).map((shown) => {
              const place = map.placeOf(shown);
              const line = lines[place];
              return line && (
                <OutputLine key={line.number} line={line} stamped={options.stamped} sought={found.sought} current={found.place === place} />
              );
            })}
          </div>
        </div>
      </div>
    </section>
  );
}

/** Which line is in which row, kept up to date with the buffer. */
function useRows(
  buffer: LineBuffer, columns: RowOptions["columns"], stream: RowOptions["stream"], changed: (from: number) => void,
): RowMap {
  const known = useRef<{ map: RowMap; buffer: LineBuffer } | null>(null);
  const told = useRef(Infinity); // what is from that place on is told after the next commit: a rendering may have none
  const map = useMemo(() => new RowMap({ columns, stream }), [columns, stream]);
  const from = Math.max(0, buffer.takeChanged() - 1 - buffer.dropped);
  if (known.current?.map !== map || known.current.buffer !== buffer) map.update(buffer.lines, 0);
  else map.update(buffer.lines, from);
  known.current = { map, buffer };
  told.current = Math.min(told.current, from);
  useLayoutEffect(() => {
    changed(told.current);
    told.current = Infinity;
  });
  return map;
}

/** How wide a character of the box's font is, in pixels. */
function useCharacterWidth(box: React.RefObject<HTMLElement | null>): number {
  const [width, setWidth] = useState(8);
  useLayoutEffect(() => {
    const measure = (): void => {
      const ruler = document.createElement("span");
      ruler.textContent = "0".repeat(100);
      ruler.className = "output-ruler";
      box.current?.append(ruler);
      setWidth(ruler.getBoundingClientRect().width / 100 || 8);
      ruler.remove();
    };
    measure();
    void document.fonts?.ready.then(measure);
  }, [box]);
  return width;
}

function nothingYet(connection: Connection, filtered: boolean): string {
  if (filtered) return "Nothing on this stream.";
  if (connection.kind === "finished") return "The run wrote nothing.";
  if (connection.kind === "waiting") {
    return "Nothing is recorded about this run yet. If it was just requested, it appears here when a worker takes it.";
  }
  return connection.kind === "live" ? "Nothing written yet." : "";
}

function sizeOf(height: number, longest: number, digits: number): CSSProperties {
  return { height, "--longest": `${longest}ch`, "--digits": `${digits}ch` } as CSSProperties;
}

const range = (from: number, to: number): number[] => Array.from({ length: Math.max(0, to - from) }, (_, n) => from + n);
