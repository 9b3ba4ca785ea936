import type { Execution } from "../../api/types";
import { statusText } from "../../components/StatusBadge";
import { At } from "../../components/When";
import { formatDuration, formatElapsed } from "../../time/duration";
import { useNow } from "../../time/useNow";

interface Phase {
  name: string;
  at: string | null;
  note: string; // how long after the phase before
}

/** Due, claimed, started, ended: when each was, and how long it took to get there. */
export function Phases({ execution: run }: { execution: Execution }) {
  const now = useNow();
  const over = run.status !== "running";
  const phases: Phase[] = [
    { name: "Due", at: run.due_at, note: "" },
    { name: "Claimed", at: run.claimed_at, note: offset(run.due_at, run.claimed_at) },
    { name: "Started", at: run.started_at, note: run.started_at ? offset(run.due_at, run.started_at) : over ? "never" : "" },
    { name: over ? statusText(run.status) : "Running", at: run.finished_at, note: tookText(run, now) },
  ];
  return (
    <ol className={`phases phases-${run.status}`}>
      {phases.map(({ name, at, note }, index) => (
        <li key={index} className={at || (index === 3 && over) ? "phase phase-done" : "phase"}>
          <span className="phase-name">{name}</span>
          <span className="phase-note number">{note}</span>
          <span className="detail">{at ? <At at={at} /> : "–"}</span>
        </li>
      ))}
    </ol>
  );
}

/** `3 ms after due`, `498 ms before due`. */
function offset(due: string, at: string): string {
  const ms = Date.parse(at) - Date.parse(due);
  return ms < 0 ? `${formatDuration(-ms)} ahead` : `${formatDuration(ms)} after due`;
}

function tookText(run: Execution, now: number): string {
  if (!run.started_at) return "";
  if (run.status === "running") return `for ${formatElapsed(now - Date.parse(run.started_at))}`;
  return run.finished_at ? `took ${formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at))}` : "";
}
