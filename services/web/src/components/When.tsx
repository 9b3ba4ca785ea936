import type { Execution } from "../api/types";
import { formatDuration, formatElapsed } from "../time/duration";
import { formatAbsolute, formatCountdown, formatRelative } from "../time/instant";
import { useNow } from "../time/useNow";

/** How long ago, or in how long; the instant itself on hover. */
export function Ago({ at }: { at: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={formatAbsolute(at)}>
      {formatRelative(at, now)}
    </time>
  );
}

/** Counts down to an instant; shows it in the job's zone on hover. */
export function Countdown({ to, zone }: { to: string; zone: string }) {
  const now = useNow();
  return (
    <time dateTime={to} title={formatAbsolute(to, zone)}>
      {formatCountdown(to, now)}
    </time>
  );
}

/** The instant in full; how long ago on hover. */
export function At({ at, zone }: { at: string; zone?: string }) {
  const now = useNow();
  return (
    <time dateTime={at} title={formatRelative(at, now)}>
      {formatAbsolute(at, zone)}
    </time>
  );
}

/** How long a run took, or has been going on. */
export function RunTime({ run }: { run: Execution }) {
  if (!run.started_at) return <>–</>;
  if (run.status === "running") return <Running since={run.started_at} />;
  if (!run.finished_at) return <>–</>;
  return <>{formatDuration(Date.parse(run.finished_at) - Date.parse(run.started_at))}</>;
}

function Running({ since }: { since: string }) {
  return <>{formatElapsed(useNow() - Date.parse(since))}</>;
}
