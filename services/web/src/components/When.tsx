import type { Execution } from "../api/types";
import { formatDuration, formatElapsed } from "../time/duration";
import { formatAbsolute, formatBrief, formatCountdown, formatRelative } from "../time/instant";
import { useNow } from "../time/useNow";

/** How long ago, or in how long, in one unit if `brief`; the instant itself on hover. */
export function Ago({ at, brief = false }: { at: string; brief?: boolean }) {
  const now = useNow();
  return (
    <time dateTime={at} title={bothZones(at)}>
      {(brief ? formatBrief : formatRelative)(at, now)}
    </time>
  );
}

/** Counts down to an instant; on hover the instant, also in the job's zone. */
export function Countdown({ to, zone }: { to: string; zone: string }) {
  const now = useNow();
  return (
    <time dateTime={to} title={bothZones(to, zone)}>
      {formatCountdown(to, now)}
    </time>
  );
}

/** The instant in full, in the viewer's zone; on hover how long ago, and the instant in the other zone. */
export function At({ at, zone = "UTC" }: { at: string; zone?: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={`${formatRelative(at, now)}\n${formatAbsolute(at, zone)}`}>
      {formatAbsolute(at)}
    </time>
  );
}

/** The instant in the viewer's zone, and in another below it. */
const bothZones = (at: string, zone = "UTC"): string => `${formatAbsolute(at)}\n${formatAbsolute(at, zone)}`;

/** How long a run took, or has been going on. */
export function RunTime({ run }: { run: Pick<Execution, "started_at" | "finished_at" | "status"> }) {
  if (!run.started_at) return <>–</>;
  if (run.status === "running") return <Running since={run.started_at} />;
  if (!run.finished_at) return <>–</>;
  return <>{formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at))}</>;
}

function Running({ since }: { since: string }) {
  return <>{formatElapsed(useNow() - Date.parse(since))}</>;
}
