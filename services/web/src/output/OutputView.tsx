import { type CSSProperties, useId, useRef, useState } from "react";
import { Icon } from "../components/icons";
import { formatClock } from "../time/instant";
import type { Connection, Followed } from "./follower";
import type { Line, LineBuffer } from "./lines";
import { useFollowing } from "./useFollowing";

const LINE_PX = 20; // --line-height in pages.css
const BEYOND = 20; // lines drawn above and below what is in view

/** The output of a run. Only the lines in view are drawn, so that a long run costs no more than a short one. */
export function OutputView({ buffer, followed }: { buffer: LineBuffer; followed: Followed }) {
  const [stamped, setStamped] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const heading = useId();
  const { lines, dropped } = buffer;
  const view = useFollowing(box, followed.revision, dropped * LINE_PX);
  const first = Math.max(0, Math.floor(view.scrollTop / LINE_PX) - BEYOND);
  const last = Math.min(lines.length, Math.ceil((view.scrollTop + view.height) / LINE_PX) + BEYOND);

  return (
    <section className="panel output" aria-labelledby={heading}>
      <div className="output-bar">
        <h2 id={heading}>Output</h2>
        <ConnectionNote connection={followed.connection} />
        <div className="output-tools">
          <Toggle on={stamped} set={setStamped} label="Timestamps" />
          <Toggle on={view.following} set={view.setFollowing} label="Follow" />
        </div>
      </div>
      {dropped > 0 && (
        <p className="table-note">
          The last {lines.length.toLocaleString("en")} lines are shown; {dropped.toLocaleString("en")} before them are
          stored: <code>dcron logs</code> prints them all.
        </p>
      )}
      <div
        className={stamped ? "output-box output-stamped" : "output-box"}
        ref={box}
        onScroll={view.onScroll}
        tabIndex={0}
        role="log"
        aria-live="off"
        aria-labelledby={heading}
      >
        {lines.length === 0 && <p className="output-none">{nothingYet(followed.connection)}</p>}
        <div className="output-lines" style={sizeOf(buffer)}>
          {lines.slice(first, last).map((line, index) => (
            <OutputLine key={line.number} line={line} top={(first + index) * LINE_PX} stamped={stamped} />
          ))}
        </div>
      </div>
    </section>
  );
}

function OutputLine({ line, top, stamped }: { line: Line; top: number; stamped: boolean }) {
  return (
    <div className={`line line-${line.stream}`} style={{ transform: `translateY(${top}px)` }}>
      <span className="line-number">{line.number}</span>
      {stamped && <time className="line-time">{formatClock(line.at)}</time>}
      <span className="line-stream">{line.stream === "stderr" ? "err" : ""}</span>
      <span className="line-text">{line.text}</span>
      {line.cut > 0 && <span className="line-cut"> … {line.cut.toLocaleString("en")} more characters</span>}
    </div>
  );
}

function Toggle({ on, set, label }: { on: boolean; set: (on: boolean) => void; label: string }) {
  return (
    <button type="button" className="button toggle" aria-pressed={on} onClick={() => set(!on)}>
      {label === "Follow" && <Icon name="down" />}
      {label}
    </button>
  );
}

function ConnectionNote({ connection }: { connection: Connection }) {
  return (
    <span className={`connection connection-${connection.kind}`} role="status">
      {connectionText(connection)}
    </span>
  );
}

function connectionText(connection: Connection): string {
  switch (connection.kind) {
    case "connecting":
      return "Connecting…";
    case "waiting":
      return "Waiting for a worker";
    case "live":
      return "Live";
    case "lost":
      return `Connection lost; trying again (attempt ${connection.attempt})`;
    case "refused":
      return "Not available";
    case "finished":
      return "Complete";
  }
}

function nothingYet(connection: Connection): string {
  if (connection.kind === "finished") return "The run wrote nothing.";
  if (connection.kind === "waiting") {
    return "Nothing is recorded about this run yet. If it was just requested, it appears here when a worker takes it.";
  }
  return connection.kind === "live" ? "Nothing written yet." : "";
}

function sizeOf(buffer: LineBuffer): CSSProperties {
  return { height: buffer.lines.length * LINE_PX, minWidth: `calc(${buffer.longest}ch + var(--gutter))` };
}
